import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

import projections
from ledger.engines.database import disposing, open_reader
from ledger.entries import Entry
from ledger.errors import NoLedgerError, StorageError
from ledger.events import CycleDecided, Event, GameFinished, RoundPlayed
from ledger.store import Ledger
from projections.errors import ProjectionError
from projections.notebook.book import TABLES, Notebook
from tests.builders import game_finished

Story = list[tuple[Entry, Event]]


def test_a_ledger_opens_by_its_folder_its_file_and_its_url(example: Path) -> None:
    for source in (example.parent, str(example.parent), example, f"sqlite:///{example}"):
        with projections.open(source) as ledger:
            assert ledger.head().position > 7_000


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, and long enough to look like one" * 100)

    with pytest.raises(NoLedgerError, match="nowhere"):
        projections.open(tmp_path / "nowhere")
    with pytest.raises(StorageError, match="is no ledger"):
        projections.open(tmp_path / "text.db")


def test_nothing_can_be_written_through_it(example: Path) -> None:
    with projections.open(example) as ledger, pytest.raises(StorageError):
        ledger._ledger.append("game-x", [game_finished()], 0)


def test_the_tables_hold_what_the_log_holds(example: Path, events: Story) -> None:
    kinds = Counter(entry.type for entry, _ in events)
    with projections.open(example) as ledger:
        assert len(ledger.rounds()) == kinds["game.round_played"]
        assert len(ledger.predictions()) == kinds["game.prediction_made"]
        assert len(ledger.games()) == kinds["game.started"]
        assert len(ledger.decisions()) == kinds["promotion.cycle_decided"]
        outcomes = Counter(game.outcome for game in ledger.games())
        assert outcomes["finished"] == kinds["game.finished"]
        assert outcomes["abandoned"] == kinds["game.abandoned"]


def test_a_row_has_the_fields_of_its_event(example: Path, events: Story) -> None:
    entry, event = next((entry, event) for entry, event in events if isinstance(event, RoundPlayed))
    with projections.open(example) as ledger:
        row = ledger.rounds()[0]

    assert (row.position, row.time.tzinfo, row.game_id) == (entry.position, UTC, event.game_id)
    assert row.points_paper_tenths == event.points.paper
    assert row.in_metrics is event.in_metrics


def test_a_row_of_a_cycle_has_its_source_and_the_versions_that_it_compared(example: Path, events: Story) -> None:
    entry, event = next(
        (entry, event) for entry, event in events if isinstance(event, CycleDecided) and event.evidence
    )
    with projections.open(example) as ledger:
        row = next(row for row in ledger.decisions() if row.position == entry.position)

    assert event.evidence is not None
    assert row.source == event.source
    assert row.production_version == event.evidence.production.version
    assert row.b_version == event.evidence.b.version


@pytest.mark.parametrize("table", TABLES)
def test_a_table_ends_where_it_is_told_to(example: Path, table: str) -> None:
    with projections.open(example) as ledger:
        whole = getattr(ledger, table)()
        half = getattr(ledger, table)(to=4_000)

    assert 0 < len(half) < len(whole)
    assert all(row.position <= 4_000 for row in half)


def test_a_time_is_text_or_a_datetime(example: Path) -> None:
    with projections.open(example) as ledger:
        as_text = ledger.aliases(at="2025-11-06T00:00:00Z")
        assert list(as_text) == list(ledger.aliases(at=datetime(2025, 11, 6, tzinfo=UTC)))
        assert list(as_text) == list(ledger.aliases(at=datetime(2025, 11, 6)))
        assert list(as_text) == list(ledger.aliases(at=as_text[0].position))
        assert len(as_text) == 12


def test_a_fold_of_ones_own_counts_as_the_log_does(example: Path, events: Story) -> None:
    def count(wins: Counter[str], event: GameFinished, entry: Entry) -> Counter[str]:
        assert entry.type == "game.finished"
        return wins + Counter({event.winner: 1})

    with projections.open(example) as ledger:
        wins = ledger.fold(Counter[str], {GameFinished: count})
        again = ledger.fold(*projections.ReadModel(Counter, {GameFinished: count}))

    assert wins == again == Counter(event.winner for _, event in events if isinstance(event, GameFinished))


def test_a_fold_that_fails_names_the_position(example: Path) -> None:
    def fail(_state: None, _event: GameFinished, _entry: Entry) -> None:
        raise KeyError("mine")

    with projections.open(example) as ledger, pytest.raises(ProjectionError, match=r"position [0-9]+"):
        ledger.fold(None, {GameFinished: fail})


def test_an_event_that_cannot_be_read_is_named_with_its_position(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_finished(game_id="g1")], 0)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql("UPDATE events SET schema_version = 99")
    with (
        disposing(open_reader(str(ledger.engine.url))) as engine,
        pytest.raises(ProjectionError, match="position 1"),
    ):
        list(Notebook(Ledger(engine)).games().arrow())


def test_a_table_says_what_it_is(example: Path) -> None:
    with projections.open(example) as ledger:
        assert re.match("<ledger .*ledger.db: 7,[0-9]+ events>", repr(ledger))
        assert repr(ledger.aliases()) == (
            "<table of AliasVersion: position, model_type, alias, model_version, swap_count>"
        )
