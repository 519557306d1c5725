import sqlite3
from contextlib import closing
from pathlib import Path

from bench.history import grow
from bench.ledgers import bootstrap, empty_ledger
from bench.passes import count_events, facts
from ledger.events import CycleDecided, GameFinished, wire_name
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES
from projections.audit.decisions import check_decisions
from projections.audit.replay import Replay

EVENTS = 1_500


def test_a_history_is_one_that_the_audit_agrees_with(tmp_path: Path) -> None:
    ledger = written(tmp_path / "ledger.db")

    audit = check_decisions(ledger)

    ledger.engine.dispose()
    assert audit.agrees
    assert len(audit.decisions) >= len(FAMILIES)


def test_a_bare_pass_reads_what_a_replay_reads(tmp_path: Path) -> None:
    ledger = written(tmp_path / "ledger.db")
    replay = Replay(ledger)
    replay.advance(ledger.head().position)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        counts, found = count_events(connection), facts(connection)

    ledger.engine.dispose()
    folded = replay.read_models.counters.state.events
    assert {wire_name(kind): count for kind, count in counts.items()} == {
        kind: count for kind, count in folded.items() if count
    }
    decided = sum(count for kind, count in folded.items() if kind.startswith("promotion."))
    assert int(found) == decided + counts[GameFinished] > counts[CycleDecided]


def written(path: Path) -> Ledger:
    ledger = empty_ledger(path)
    bootstrap(ledger)
    ledger.engine.dispose()
    grow(path, EVENTS)
    return empty_ledger(path)
