"""A full replay of all projections against a bare loop over the same events."""

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
from sqlalchemy import select

from bench.ledgers import bootstrap, empty_ledger, fill_with_games
from bench.scenario import Outcome, compare, seconds
from gameplay.config import Settings
from ledger.events import Event
from ledger.schema import events
from ledger.store import PAGE_ENTRIES, Ledger
from projections.read_models.all import ReadModels

EVENTS = 300_000


def big_ledger(folder: Path) -> Path:
    """A database file with EVENTS events; made once."""
    path = folder / "big.db"
    if not path.exists():
        ledger = empty_ledger(path)
        bootstrap(ledger)
        fill_with_games(ledger, EVENTS)
        ledger.engine.dispose()
    return path


def scenario(folder: Path) -> Outcome:
    """Replay of everything, against: select pages, decode into the same union, count by type."""
    ledger = empty_ledger(big_ledger(folder))
    counts: dict[type, int] = {}
    head = ledger.head().position

    def ours() -> float:
        read_models = ReadModels(ledger)
        spent = seconds(read_models.projector.catch_up)
        state = read_models.counters.state
        assert read_models.projector.position == head == sum(state.events.values())
        assert sum(state.predictions.values()) == state.events["game.prediction_made"]
        return head / spent

    def bare() -> float:
        counts.clear()
        spent = seconds(lambda: _bare_loop(ledger, counts))
        assert sum(counts.values()) == head
        return head / spent

    return compare("full replay, 300,000 events", ours, bare, wanted="at least", target=0.4, unit="events/s")


def restart(folder: Path) -> Outcome:
    """From process start to projections at the head, with a snapshot, against an empty ledger."""
    source = big_ledger(folder)
    full, empty = folder / "restart-full.db", folder / "restart-empty.db"
    shutil.copy(source, full)
    ledger = empty_ledger(full)
    read_models = ReadModels(ledger, since_us=Settings().metrics_since_us)
    read_models.projector.start()
    read_models.projector.save(every=1)
    head = ledger.head().position
    ledger.engine.dispose()
    empty_ledger(empty).engine.dispose()
    return compare(
        "restart to ready, 300,000 events",
        lambda: seconds(lambda: _start(full, head)),
        lambda: seconds(lambda: _start(empty, 0)),
        wanted="at most",
        target=1.3,
        unit="ms",
        scale=1_000,
    )


def _bare_loop(ledger: Ledger, counts: dict[type, int]) -> None:
    decode = msgspec.json.Decoder(Event).decode
    columns = (events.c.position, events.c.type, events.c.schema_version, events.c.recorded_us, events.c.payload)
    after = 0
    with ledger.engine.connect() as connection:
        while True:
            query = select(*columns).where(events.c.position > after).order_by(events.c.position)
            page = connection.execute(query.limit(PAGE_ENTRIES)).fetchall()
            if not page:
                return
            for row in page:
                kind = type(decode(row[4]))
                counts[kind] = counts.get(kind, 0) + 1
            after = page[-1][0]


# What `rps serve` does before the models: whether there is anything to set up, then the service's own start.
_PROBE = """
import sys
from pathlib import Path
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.training.setup import is_set_up
import gameplay.web.app
settings = Settings(data_dir=Path(sys.argv[1]).parent, database_url="sqlite:///" + sys.argv[1])
first = open_core(settings)
is_set_up(first)
first.close()
core = open_core(settings)
core.read_models.projector.start()
print(core.read_models.projector.position)
"""


def _start(path: Path, head: int) -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE, str(path)], check=True, capture_output=True, text=True)
    assert int(done.stdout) == head, "the projections did not reach the head"
