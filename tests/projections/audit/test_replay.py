import gc
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ledger.engines.database import open_reader
from ledger.engines.sqlite import open_memory
from ledger.store import Ledger
from projections.audit.compare import ABSENT, compare, counters_since
from projections.audit.rebuild import READ_MODELS, rebuild
from projections.audit.replay import Replay, flatten, plain, read_rows
from projections.errors import ProjectionError
from projections.projection import Tracked
from projections.read_models.all import ReadModels
from projections.read_models.history import History
from scripts.audit_docs import tamper
from tests.builders import cycle_decided, game_finished, game_started
from tests.projections.sabotage import database


@pytest.fixture(scope="module")
def ledger_of_games(example: Path) -> Iterator[Ledger]:
    """The example, for reading."""
    engine = open_reader(f"sqlite:///{example}")
    yield Ledger(engine)
    engine.dispose()


def test_a_replay_to_the_head_is_what_the_service_has(copy: Ledger) -> None:
    served = ReadModels(copy)
    served.projector.start()
    replay = Replay(copy)

    replay.advance(copy.head().position)

    assert replay.head == copy.head() == served.projector.head
    states: list[Tracked[Any]] = [*served.tracked]
    assert {one.projection.name: plain(one.state) for one in states} == {
        name: state for name, state in replay.plain().items() if name != served.history.name
    }
    assert replay.history_rows() == read_rows(History(copy))


def test_a_state_at_a_position_is_that_of_a_ledger_that_ended_there(
    ledger_of_games: Ledger, engine: Engine
) -> None:
    """Cut anywhere, and from there on replayed in one step or in several."""
    cut, now_us = 500, 0
    shorter = Ledger(engine, clock=lambda: now_us / 1_000_000)
    for entry in ledger_of_games.read(limit=cut):
        now_us = entry.recorded_us
        event = ledger_of_games.decode(entry)
        shorter.append(entry.stream, [event], entry.version - 1, ids=[entry.event_id])
    at_cut, at_end = Replay(ledger_of_games), Replay(shorter)

    for position in (1, 200, 201, cut):
        at_cut.advance(position)
    at_end.advance(cut)

    assert _without_times(at_cut) == _without_times(at_end)


def _without_times(replay: Replay) -> dict[str, object]:
    flat = flatten(replay.plain())
    return {path: value for path, value in flat.items() if not path.endswith("_us")}


def test_a_replay_writes_nothing_to_the_ledger_it_reads(ledger_of_games: Ledger) -> None:
    """The reader's connection would refuse."""
    before = compare(ledger_of_games)

    Replay(ledger_of_games).advance(2_000)

    assert compare(ledger_of_games) == before


def test_an_event_that_does_not_fit_stops_a_replay_and_is_named(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), game_finished(), game_finished()], 0)

    with pytest.raises(ProjectionError, match="position 3"):
        Replay(ledger).advance(3)


def test_a_replay_that_is_dropped_lets_go_of_its_database_in_whatever_thread(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error holds what it stopped, until the collector comes by, be it in a progress bar's thread."""
    memory, closed = open_memory(), []
    event.listen(memory, "close", lambda connection, _: closed.append(connection))
    monkeypatch.setattr("projections.audit.replay.open_memory", lambda: memory)
    held: list[object] = [Replay(ledger)]
    held.append(held)
    del held

    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()

    [connection] = closed
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


def test_stored_read_models_are_equal_to_a_replay(ledger_of_games: Ledger) -> None:
    found = compare(ledger_of_games)

    assert found.differences == []
    assert found.compared.keys() == set(READ_MODELS)


@pytest.mark.parametrize(
    ("statement", "read_model", "path", "stored"),
    [
        (
            "UPDATE promotion_history SET production_wins = 77 WHERE id = 1588",
            *("promotion_history", "1588.production_wins", 77),
        ),
        ("DELETE FROM promotion_history WHERE id = 1588", "promotion_history", "1588.id", ABSENT),
        (
            "UPDATE promotion_history SET detail = CAST('{}' AS BLOB) WHERE id = 1588",
            *("promotion_history", "1588.detail.alias_assignments.0.alias", ABSENT),
        ),
        (
            "UPDATE promotion_history SET detail = CAST('junk' AS BLOB) WHERE id = 1588",
            *("promotion_history", "1588.detail", "junk"),
        ),
        (
            "UPDATE promotion_history SET detail = x'ff' WHERE id = 1588",
            *("promotion_history", "1588.detail", "\ufffd"),
        ),
        (
            "UPDATE promotion_history SET detail = CAST('[]' AS BLOB) WHERE id = 1588",
            *("promotion_history", "1588.detail", []),
        ),
        ("DELETE FROM projection_checkpoints", "promotion_history", "checkpoint", ABSENT),
        ("UPDATE projection_checkpoints SET version = 99", "promotion_history", "version", 99),
        ("UPDATE projection_checkpoints SET rows_digest = NULL", "promotion_history", "rows_digest", ABSENT),
        ("UPDATE projection_checkpoints SET rows_digest = x'ff'", "promotion_history", "rows_digest", "ff"),
        ("UPDATE projection_checkpoints SET position = 100000", "promotion_history", "position", 100_000),
        (
            "UPDATE projection_snapshots SET chain_hash = zeroblob(32) WHERE name = 'tickers'",
            *("tickers", "chain_hash", "00" * 32),
        ),
        (
            "UPDATE projection_snapshots SET version = 99 WHERE name = 'tickers'",
            *("tickers", "version and settings", (99, "")),
        ),
        (
            "UPDATE projection_snapshots SET version = 99, settings = 'x' WHERE name = 'standings'",
            *("standings", "version and settings", (99, "x")),
        ),
        (
            "UPDATE projection_snapshots SET state = x'c1' WHERE name = 'counters'",
            *("counters", "state", "other bytes than were saved"),
        ),
        (
            "UPDATE projection_snapshots SET name = 'extra' WHERE name = 'open_games'",
            *("extra", "name", "extra"),
        ),
        (
            "UPDATE projection_snapshots SET state = other.state FROM projection_snapshots AS other"
            " WHERE projection_snapshots.name = 'tickers' AND other.name = 'counters'",
            *("tickers", "windows.feedforward_nn.cycles", 0),
        ),
    ],
)
def test_whatever_is_stored_otherwise_is_listed_and_fixed(
    copy: Ledger, statement: str, read_model: str, path: str, stored: object
) -> None:
    with copy.engine.connect() as connection:
        connection.exec_driver_sql(statement)
        connection.commit()

    differences = compare(copy).differences
    assert {difference.read_model for difference in differences} == {read_model}
    assert (differences[0].path, differences[0].stored) == (path, stored)

    rebuild(copy, READ_MODELS, since_us=0)
    assert {difference.read_model for difference in compare(copy).differences} <= {"extra"}


def test_a_waypoint_that_is_not_what_a_replay_gives_is_listed(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), game_finished()], 0)
    read_models = ReadModels(ledger, waypoint_entries=1)
    read_models.projector.start()
    read_models.projector.save(every=1)
    ledger.append("game-g2", [game_started(game_id="g2")], 0)
    assert (compare(ledger).waypoints, compare(ledger).differences) == (1, [])

    change(
        ledger,
        "UPDATE projection_waypoints SET state = other.state FROM projection_waypoints AS other"
        " WHERE projection_waypoints.name = 'tickers' AND other.name = 'standings'",
    )

    assert {(one.read_model, one.position) for one in compare(ledger).differences} == {("tickers", 2)}
    rebuild(ledger, READ_MODELS, since_us=0)
    assert (compare(ledger).waypoints, compare(ledger).differences) == (0, [])


def change(ledger: Ledger, statement: str) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_rows_without_a_checkpoint_are_compared_all_the_same(copy: Ledger) -> None:
    change(copy, "DELETE FROM projection_checkpoints")
    change(copy, "UPDATE promotion_history SET b_wins = 99 WHERE id = 1588")

    found = compare(copy)

    paths = {difference.path: difference.stored for difference in found.differences}
    assert paths["checkpoint"] == "(absent)"
    assert paths["1588.b_wins"] == 99
    assert found.compared["promotion_history"] == copy.head().position


def test_a_row_that_was_taken_away_is_absent_in_every_column(copy: Ledger) -> None:
    change(copy, "DELETE FROM promotion_history WHERE id = 1588")

    columns = {one.path: one.stored for one in compare(copy).differences if one.path.startswith("1588.")}

    assert {"1588.applied", "1588.decision"} <= columns.keys()
    assert set(columns.values()) == {"(absent)"}


def test_a_history_without_rows_needs_no_checkpoint(copy: Ledger) -> None:
    change(copy, "DELETE FROM projection_checkpoints")
    change(copy, "DELETE FROM promotion_history")

    found = compare(copy)

    assert found.differences == []
    assert "promotion_history" not in found.compared


def test_a_checkpoint_that_no_read_model_has_is_listed(copy: Ledger) -> None:
    change(
        copy,
        "INSERT INTO projection_checkpoints SELECT 'extra', version, position, chain_hash, NULL"
        " FROM projection_checkpoints",
    )

    assert [(one.read_model, one.path) for one in compare(copy).differences] == [("extra", "name")]


def test_a_detail_that_is_no_json_is_reported_in_one_line(copy: Ledger) -> None:
    change(copy, "UPDATE promotion_history SET detail = CAST('junk' AS BLOB) WHERE id = 1588")

    (difference,) = compare(copy).differences

    assert (difference.path, difference.stored, difference.replayed) == ("1588.detail", "junk", "a JSON object")


def test_counters_that_begin_at_zero_are_not_counters_that_are_not_stored(copy: Ledger, ledger: Ledger) -> None:
    assert counters_since(copy) == 0
    assert counters_since(ledger) is None


def test_a_changed_event_shows_in_every_read_model_that_reads_it(copy: Ledger) -> None:
    position = tamper(database(copy))
    assert position < 7_000

    assert {difference.read_model for difference in compare(copy).differences} == {
        "counters",
        "tickers",
        "standings",
        "bot_win_rates",
        "records_by_player",
    }


def test_a_rebuild_beside_a_service_loses_nothing_that_it_folds(copy: Ledger) -> None:
    served = ReadModels(copy)
    served.projector.start()
    version = copy.version("promotion-xgboost")
    newest = cycle_decided(model_type="xgboost", cycle=25)
    copy.append("promotion-xgboost", [newest], version)
    served.projector.catch_up()

    position = rebuild(copy, ["promotion_history"], since_us=0)
    copy.append("promotion-xgboost", [cycle_decided(model_type="xgboost", cycle=26)], version + 1)
    served.projector.catch_up()

    assert position == copy.head().position - 1
    rows = read_rows(served.history)
    assert [row["cycle"] for row in rows if row["model_type"] == "xgboost"] == list(range(1, 27))
    assert [one for one in compare(copy).differences if one.read_model == "promotion_history"] == []


def test_a_rebuild_of_an_empty_ledger_leaves_nothing(ledger: Ledger) -> None:
    assert rebuild(ledger, READ_MODELS, since_us=0) == 0
    assert compare(ledger).compared == {}


@pytest.mark.parametrize("read_model", READ_MODELS)
def test_one_read_model_is_rebuilt_alone(copy: Ledger, read_model: str) -> None:
    before = compare(copy).compared

    rebuild(copy, [read_model], since_us=0)

    after = compare(copy)
    assert after.differences == []
    assert after.compared == before | {read_model: copy.head().position}
