"""The ledger on PostgreSQL: appends against bare ones on the same server, pages and requests against SQLite's."""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.folders import small_folder
from bench.ledgers import empty_ledger, fill_with_games
from bench.scenario import Outcome, compare, seconds
from bench.servers import play, service
from ledger.chain import GENESIS
from ledger.codec import Codec
from ledger.engines.database import disposing, open_engine, reading
from ledger.entries import Entry, Head
from ledger.events import PredictionMade
from ledger.ids import new_id
from ledger.schema import events
from ledger.store import Ledger
from ledger.verification.copying import copy_ledger
from ledger.verification.transfer import export_lines, import_lines
from scripts.postgresql import Server, programs, serving

PAGED_EVENTS = 100_000
ROUNDS = 250
NAMES = tuple(column.name for column in events.columns)
# About 250 bytes, as a prediction or a round has them.
EVENT = PredictionMade(
    game_id=new_id(),
    round=4,
    model_type="xgboost",
    alias="Production",
    model_version=1,
    probabilities=(0.2, 0.3, 0.5),
    predicted="scissors",
    actual="rock",
    correct=False,
    served=True,
    in_metrics=True,
)
_together: Any = None
_BARE = (
    # The same table and indexes, without the guards; positions come from a sequence.
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "CREATE SEQUENCE bare OWNED BY events.position",
    "ALTER TABLE events ALTER position SET DEFAULT nextval('bare')",
)
# As a user's: it writes what it commits, and keeps its own statistics.
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
}


@contextmanager
def server() -> Iterator[Server]:
    """A durable server for a scenario."""
    (bin_, *_) = programs().values()
    with serving(bin_, **DURABLE) as running:
        yield running


def append_large(_folder: Path) -> Outcome:
    """Eight processes, a hundred appends of one event with each commit."""
    return _append("PostgreSQL append, 8 writers x 100", writers=8, appends=100, batches=40, target=0.55)


def append_small(_folder: Path) -> Outcome:
    """Three processes, twenty appends of one event with each commit."""
    return _append("PostgreSQL append, 3 writers x 20", writers=3, appends=20, batches=200, target=0.45)


def _append(name: str, *, writers: int, appends: int, batches: int, target: float) -> Outcome:
    with server() as running:
        return compare(
            name,
            lambda: _rate(running, _write_ledger, writers, appends, batches),
            lambda: _rate(running, _write_bare, writers, appends, batches),
            wanted="at least",
            target=target,
            unit="events/s",
        )


def _rate(running: Server, write: "Write", writers: int, appends: int, batches: int) -> float:
    """Events a second of all writers together, each a process of its own that has everything prepared."""
    with running.ledger() as url:
        if write is _write_bare:
            running.execute(*_BARE, database=url.rpartition("/")[2])
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(writers)
        with context.Pool(writers, initializer=_meet, initargs=(together,)) as pool:
            tasks = [(url, number, appends, batches) for number in range(writers)]
            times = pool.starmap(write, tasks, chunksize=1)
        with disposing(open_engine(url)) as engine, reading(engine) as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one()
            assert count == writers * appends * batches
        return writers * appends * batches / (max(end for _, end in times) - min(begin for begin, _ in times))


def _meet(barrier: Any) -> None:
    """Have the writers of this process begin together with those of the others."""
    global _together
    _together = barrier


def _write_ledger(url: str, writer: int, appends: int, batches: int) -> tuple[float, float]:
    """Append by the store; returns when this began and ended."""
    with disposing(open_engine(url)) as engine:
        ledger = Ledger(engine)
        prepared = [
            [ledger.prepare(f"game-{writer}-{number}", [EVENT], batch) for number in range(appends)]
            for batch in range(batches)
        ]
        ledger.head()
        return _timed(lambda: [ledger.append_all(batch) for batch in prepared])


def _write_bare(url: str, writer: int, appends: int, batches: int) -> tuple[float, float]:
    """Insert as many rows a commit with one statement, and nothing else; returns when this began and ended."""
    with disposing(open_engine(url)) as engine:
        event_type, schema_version, payload = Codec().encode(EVENT)
        prepared = [
            [
                value
                for number in range(appends)
                for value in (
                    new_id(),
                    f"game-{writer}-{number}",
                    batch + 1,
                    event_type,
                    schema_version,
                    1,
                    payload,
                    GENESIS,
                )
            ]
            for batch in range(batches)
        ]
        values = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * appends)
        statement = f"INSERT INTO events ({', '.join(NAMES[1:])}) VALUES {values}"
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("SELECT 1")
            return _timed(lambda: [driver.execute(statement, batch) for batch in prepared])


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    _together.wait()
    begin = time.monotonic()
    work()
    return begin, time.monotonic()


def pages(folder: Path) -> Outcome:
    """All pages of a ledger, against SQLite's."""
    with server() as running, running.ledger() as url, disposing(open_engine(url)) as engine:
        local, remote = empty_ledger(folder / "pages.db"), Ledger(engine)
        fill_with_games(local, PAGED_EVENTS)
        import_lines(remote, export_lines(local))
        head = local.head()
        running.execute("VACUUM ANALYZE events", database=url.rpartition("/")[2])
        outcome = compare(
            "PostgreSQL, Ledger.pages, 100,000 events",
            lambda: head.position / _read(remote, head),
            lambda: head.position / _read(local, head),
            wanted="at least",
            target=0.9,
            unit="events/s",
        )
        local.engine.dispose()
        return outcome


def _read(ledger: Ledger, head: Head) -> float:
    last: list[Entry] = []

    def read() -> None:
        for page in ledger.pages():
            last[:] = page[-1:]

    spent = seconds(read)
    assert last[0].chain_hash == head.chain_hash
    return spent


def requests(folder: Path) -> Outcome:
    """`/play` of one process on PostgreSQL, eight clients, against the same on SQLite."""
    with server() as running, running.ledger() as url:
        data = shutil.copytree(small_folder(folder), folder / "on-postgresql")
        (data / "ledger.db").unlink()
        with disposing(open_engine(url)) as engine:
            source = empty_ledger(small_folder(folder) / "ledger.db")
            copy_ledger(source, Ledger(engine))  # with its id, by which the models are its own
            source.engine.dispose()
        with service(small_folder(folder)) as local, service(data, RPS_DATABASE_URL=url) as remote:
            return compare(
                "PostgreSQL, /play, 8 clients, one process",
                lambda: play(remote, ROUNDS).rounds_per_second,
                lambda: play(local, ROUNDS).rounds_per_second,
                wanted="at least",
                target=0.7,
                unit="rounds/s",
            )


Write = Callable[[str, int, int, int], tuple[float, float]]
SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "postgresql-append-large": append_large,
    "postgresql-append-small": append_small,
    "postgresql-pages": pages,
    "postgresql-requests": requests,
}
