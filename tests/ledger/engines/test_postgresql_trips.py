from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, Table, Text, bindparam, insert, select

from ledger.appends import Receipt
from ledger.engines.beside import Beside
from ledger.engines.database import disposing, open_engine, transaction
from ledger.errors import StorageError
from ledger.schema import events
from ledger.store import Ledger
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact
from tests.postgresql import WHEEL

pytestmark = pytest.mark.engines(WHEEL)


@pytest.fixture
def ledger(ledger: Ledger) -> Iterator[Ledger]:
    """Its pool holds one connection, on which an append has been made."""
    ledger.append("game-g1", [game_started()], 0)
    yield ledger
    assert_intact(ledger.read())


def session(engine: Engine) -> int:
    with transaction(engine) as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


@pytest.mark.parametrize("change", ["ALTER TABLE events ALTER type SET STATISTICS 100", "SELECT 1 / 0"])
def test_statements_are_prepared_again_where_the_driver_has_dropped_them(ledger: Ledger, change: str) -> None:
    before = session(ledger.engine)
    with suppress(StorageError), transaction(ledger.engine) as connection:
        for _ in range(4):  # until the driver has prepared something, too: with that it drops everything
            connection.execute(select(events)).all()
        connection.exec_driver_sql(change)

    assert ledger.head().position == 1
    assert ledger.append("game-g1", [round_played()], 1).version == 2
    assert session(ledger.engine) == before


def test_an_append_goes_on_where_the_session_has_lost_what_was_prepared(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")

    assert ledger.append("game-g1", [round_played()], 1).version == 2


def test_an_append_that_the_database_refuses_leaves_no_lock_behind(ledger: Ledger, database: str) -> None:
    broken = Beside(insert(Table("nowhere", MetaData(), Column("a", Text))).values(a=bindparam("a")), {"a": "b"})
    with pytest.raises(StorageError, match="nowhere"):
        ledger.append_all([ledger.prepare("game-g2", [game_started()], 0, beside=broken)])

    with disposing(open_engine(database)) as other:
        assert Ledger(other).append("game-g1", [round_played()], 1).version == 2
    assert ledger.append("game-g1", [round_played()], 2).version == 3


def test_what_stands_beside_an_append_may_have_values_of_any_type(ledger: Ledger) -> None:
    notes = Table(
        "notes", MetaData(), Column("text", Text), Column("number", Integer), Column("data", LargeBinary)
    )
    notes.create(ledger.engine)
    noting = insert(notes).values({name: bindparam(name) for name in ("text", "number", "data")})
    rows = [("it's 5 % \\ ü", -7, b"\x00\xff'"), (None, None, None)]

    outcomes = ledger.append_all(
        [
            ledger.prepare(f"game-n{index}", [game_started()], 0, beside=Beside(noting, row))
            for index, row in enumerate(dict(zip(notes.columns.keys(), row, strict=True)) for row in rows)
        ]
    )

    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    with transaction(ledger.engine) as connection:
        assert [tuple(row) for row in connection.execute(select(notes))] == rows
