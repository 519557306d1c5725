import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine

from ledger.entries import Entry
from ledger.errors import LeftOutError
from ledger.store import Ledger
from ledger.verification.integrity import unguarded
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact

INSERT = "INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@pytest.fixture
def before(ledger: Ledger) -> list[Entry]:
    ledger.append("game-g1", [game_started(), round_played()], 0, ids=["a", "b"])
    ledger.append("game-g2", [game_started()], 0, ids=["c"])
    return ledger.read()


@pytest.fixture
def raw(before: list[Entry], engine: Engine) -> Iterator[sqlite3.Connection]:
    """A connection that goes around the code; what was there must be there afterwards."""
    assert engine.url.database
    with closing(sqlite3.connect(engine.url.database, isolation_level=None)) as connection:
        yield connection
    assert Ledger(engine).read() == before
    assert_intact(before)


def row(position: int | None, event_id: str, stream: str, version: int) -> tuple[object, ...]:
    return (position, event_id, stream, version, "game.started", 1, 2**50, b"{}", bytes(32))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = x'7b7d'",
        "UPDATE events SET recorded_us = recorded_us WHERE position = 1",
        "UPDATE events SET position = 4 WHERE position = 3",
        "UPDATE OR REPLACE events SET event_id = 'a' WHERE position = 3",
        "UPDATE OR IGNORE events SET version = 9 WHERE position = 3",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 3",
    ],
)
def test_a_change_by_sql_is_refused(raw: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only: no (update|delete)"):
        raw.execute(statement)


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (row(1, "a", "game-g1", 1), "position"),
        (row(3, "d", "game-g3", 1), "position"),
        (row(0, "d", "game-g3", 1), "position"),
        (row(-1, "d", "game-g3", 1), "position"),
        (row(5, "d", "game-g3", 1), "position"),
        (row(None, "d", "game-g3", 1), "position"),
        (row(4, "a", "game-g3", 1), "event id"),
        (row(4, "c", "game-g1", 3), "event id"),
        (row(4, "d", "game-g1", 1), "version"),
        (row(4, "d", "game-g1", 2), "version"),
        (row(4, "d", "game-g1", 4), "version"),
        (row(4, "d", "game-g3", 0), "version"),
        (row(4, "d", "game-g3", 2), "version"),
    ],
)
def test_a_row_out_of_order_is_refused(
    raw: sqlite3.Connection, verb: str, new: tuple[object, ...], problem: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=f"append-only: {problem}"):
        raw.execute(f"{verb} {INSERT}", new)


def test_an_upsert_is_refused(raw: sqlite3.Connection) -> None:
    upsert = f"INSERT {INSERT} ON CONFLICT (event_id) DO UPDATE SET payload = excluded.payload"

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(upsert, row(4, "a", "game-g3", 1))


@pytest.mark.parametrize("column", range(9))
def test_a_row_with_a_null_is_refused(raw: sqlite3.Connection, column: int) -> None:
    new = list(row(4, "d", "game-g3", 1))
    new[column] = None

    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"INSERT {INSERT}", new)


@pytest.mark.parametrize(("column", "value"), [(3, "one"), (6, "now"), (7, "{}"), (8, bytes(31)), (8, "0" * 32)])
def test_a_value_of_another_type_is_refused(raw: sqlite3.Connection, column: int, value: object) -> None:
    new = list(row(4, "d", "game-g3", 1))
    new[column] = value

    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"INSERT {INSERT}", new)


def test_many_rows_of_which_one_is_out_of_order_are_refused_together(raw: sqlite3.Connection) -> None:
    raw.execute("BEGIN")
    raw.execute(f"INSERT {INSERT}", row(4, "d", "game-g3", 1))

    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"INSERT {INSERT}", row(6, "e", "game-g3", 2))
    raw.execute("ROLLBACK")


def test_the_next_row_is_taken(before: list[Entry], engine: Engine) -> None:
    """The refusals above are for their own reasons: the same row in its right place is accepted."""
    assert engine.url.database
    with closing(sqlite3.connect(engine.url.database)) as connection, connection:
        connection.execute(f"INSERT {INSERT}", row(4, "d", "game-g3", 1))

    assert Ledger(engine).head().position == len(before) + 1


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("lost", ["game-lost", "game-%"])
def test_what_a_foreign_trigger_leaves_out_is_not_acknowledged_and_the_trigger_is_named(
    engine: Engine, ledger: Ledger, held: bool, lost: str
) -> None:
    ledger.append("game-kept", [game_started()], 0)
    keeping = ledger.connect() if held else None
    if keeping is not None:
        ledger.append_all([ledger.prepare("game-kept", [round_played()], 1)], on=keeping)
    before = ledger.head()
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER mine BEFORE INSERT ON events WHEN NEW.stream LIKE '{lost}'"
            " BEGIN SELECT raise(IGNORE); END"
        )

    with pytest.raises(LeftOutError, match="took 0 of 2 events"):
        ledger.append_all([ledger.prepare("game-lost", [game_started(), round_played()], 0)], on=keeping)

    assert ledger.head() == before
    assert [finding.problem for finding in unguarded(engine)] == ["trigger mine on events is none of the ledger's"]
    if keeping is not None:
        keeping.close()
