"""A full replay of all projections against a bare loop over the same events, both in CPU seconds of one thread."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bench.folders import MILLION, million_folder
from bench.ledgers import empty_ledger
from bench.passes import count_events
from bench.scenario import Outcome, compare
from ledger.events import wire_name
from projections.read_models.all import ReadModels


def replay(folder: Path) -> Outcome:
    """Replay of everything, against: select pages, decode into the same union, count by type."""
    path = million_folder(folder) / "ledger.db"
    ledger = empty_ledger(path)
    head = ledger.head().position

    def ours() -> float:
        read_models = ReadModels(ledger, read_only=True)
        began = time.process_time()
        read_models.projector.catch_up()
        spent = time.process_time() - began
        state = read_models.counters.state
        assert read_models.projector.position == head == sum(state.events.values())
        assert sum(state.predictions.values()) == state.events["game.prediction_made"]
        return head / spent

    def bare() -> float:
        with closing(sqlite3.connect(path)) as connection:
            began = time.process_time()
            counts = count_events(connection)
            spent = time.process_time() - began
        assert sum(counts.values()) == head
        assert {wire_name(kind) for kind in counts} >= {"game.prediction_made", "promotion.cycle_decided"}
        return head / spent

    outcome = compare(
        f"full replay, {MILLION:,} events",
        ours,
        bare,
        wanted="at least",
        target=0.65,
        unit="events/s CPU",
        warm_up=False,
    )
    ledger.engine.dispose()
    return outcome


SCENARIOS = {"replay": replay}
