"""The triggers below the code, on PostgreSQL: against the tables' owner, who may do more than any caller."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Engine

from ledger.entries import Entry
from ledger.errors import LeftOutError
from ledger.sealing.keys import Signer
from ledger.sealing.seals import seal_head
from ledger.store import Ledger
from ledger.verification.integrity import damages, unguarded
from ledger.verification.walk import verify
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact
from tests.postgresql import WHEEL

pytestmark = pytest.mark.engines(WHEEL)
INSERT = "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture
def before(ledger: Ledger) -> list[Entry]:
    ledger.append("game-g1", [game_started(), round_played()], 0, ids=["a", "b"])
    ledger.append("game-g2", [game_started()], 0, ids=["c"])
    return ledger.read()


@pytest.fixture
def raw(before: list[Entry], engine: Engine) -> Iterator[psycopg.Connection]:
    """A connection that goes around the code; what was there must be there afterwards."""
    with connected(engine) as connection:
        yield connection
    assert Ledger(engine).read() == before
    assert_intact(before)


def connected(engine: Engine) -> psycopg.Connection:
    url = engine.url
    return psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database, autocommit=True)


def row(position: int | None, event_id: str, stream: str, version: int) -> tuple[object, ...]:
    return (position, event_id, stream, version, "game.started", 1, 2**50, b"{}", bytes(32))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = ''",
        "UPDATE events SET recorded_us = recorded_us WHERE position = 1",
        "UPDATE events SET position = 4 WHERE position = 3",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 3",
        "TRUNCATE events",
        "MERGE INTO events USING (SELECT 3 AS at) AS other ON position = at WHEN MATCHED THEN DELETE",
    ],
)
def test_a_change_by_sql_is_refused(raw: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match=r"append-only: no (update|delete|truncate)"):
        raw.execute(statement.encode())


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (row(1, "d", "game-g3", 1), "events_pkey"),
        (row(0, "d", "game-g3", 1), "position must be"),
        (row(-1, "d", "game-g3", 1), "position must be"),
        (row(5, "d", "game-g3", 1), "position must be"),
        (row(4, "a", "game-g3", 1), "event_id"),
        (row(4, "d", "game-g1", 1), "stream_version"),
        (row(4, "d", "game-g1", 4), "version must be"),
        (row(4, "d", "game-g3", 0), "version must be"),
        (row(4, "d", "game-g3", 2), "version must be"),
    ],
)
def test_a_row_out_of_order_is_refused(raw: psycopg.Connection, new: tuple[object, ...], problem: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match=problem):
        raw.execute(INSERT, new)


@pytest.mark.parametrize("action", ["NOTHING", "UPDATE SET payload = excluded.payload"])
def test_an_upsert_replaces_nothing(raw: psycopg.Connection, action: str) -> None:
    upsert = f"{INSERT} ON CONFLICT (event_id) DO {action}"
    if action == "NOTHING":
        assert raw.execute(upsert.encode(), row(4, "a", "game-g3", 1)).rowcount == 0
        return
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        raw.execute(upsert.encode(), row(4, "a", "game-g3", 1))


@pytest.mark.parametrize("last", [(6, 2), (5, 3)], ids=["position", "version"])
def test_many_rows_of_which_one_is_out_of_order_are_refused_together(
    raw: psycopg.Connection, last: tuple[int, int]
) -> None:
    rows = [row(4, "d", "game-g3", 1), row(last[0], "e", "game-g3", last[1])]

    with pytest.raises(psycopg.IntegrityError, match="must be the next one"):
        raw.execute(f"{INSERT}, {INSERT.partition('VALUES ')[2]}".encode(), [*rows[0], *rows[1]])


def test_rows_that_are_copied_in_are_looked_at_too(raw: psycopg.Connection) -> None:
    with pytest.raises(psycopg.IntegrityError, match="position must be"), raw.cursor() as cursor:
        copy_rows(cursor, [row(9, "d", "game-g3", 1)])


def copy_rows(cursor: psycopg.Cursor, rows: list[tuple[object, ...]]) -> None:
    with cursor.copy("COPY events FROM STDIN") as copy:
        for one in rows:
            copy.write_row(one)


def test_the_next_row_is_taken(before: list[Entry], engine: Engine) -> None:
    """The refusals above are for their own reasons: the same row in its right place is accepted."""
    with connected(engine) as connection:
        connection.execute(INSERT, row(4, "d", "game-g3", 1))

    assert Ledger(engine).head().position == len(before) + 1


def test_a_seal_stays_as_it_is(ledger: Ledger, before: list[Entry], engine: Engine) -> None:
    assert seal_head(ledger, Signer("example.com/log", bytes(32)))
    assert len(before) == 3

    with connected(engine) as connection:
        for statement, problem in (
            ("UPDATE seals SET size = 4", "no update"),
            ("DELETE FROM seals", "no delete"),
            ("TRUNCATE seals", "no truncate"),
            ("INSERT INTO seals SELECT size - 1, note, edge FROM seals", "cover more"),
            ("UPDATE ledger_identity SET ledger_id = 'x'", "a ledger keeps its id: no update"),
            ("DELETE FROM ledger_identity", "no delete"),
            ("INSERT INTO ledger_identity VALUES ('x')", "a ledger has one id"),
        ):
            with pytest.raises(psycopg.IntegrityError, match=problem):
                connection.execute(statement.encode())


PAST_THE_TRIGGERS = "SET session_replication_role = replica"


def test_a_cut_tail_is_known_to_the_head_and_nothing_goes_on_from_it(
    ledger: Ledger, before: list[Entry], engine: Engine
) -> None:
    with connected(engine) as connection:
        connection.execute(PAST_THE_TRIGGERS)
        connection.execute("DELETE FROM events WHERE position = 3")

    assert [(one.kind, one.position) for one in verify(ledger).findings] == [("cut tail", 3)]
    with pytest.raises(Exception, match="position must be the next one"):
        ledger.append("game-g3", [game_started()], 0)
    assert ledger.read() == before[:2]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TRIGGER events_refuse_change ON events", "events_refuse_change is missing"),
        ("ALTER TABLE events DISABLE TRIGGER events_demand_order", "events_demand_order is changed"),
        ("ALTER TRIGGER seals_demand_order ON seals RENAME TO other", "seals_demand_order is missing"),
        (
            "CREATE OR REPLACE FUNCTION demand_one_identity() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'",
            "identity_demand_one is changed",
        ),
        ("ALTER FUNCTION refuse_change() SECURITY INVOKER", "identity_refuse_change is changed"),
        ("CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING", "rule mine on events is none of"),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON seals FOR EACH ROW EXECUTE FUNCTION demand_seal_order('')",
            "trigger mine on seals is none of",
        ),
        (
            "CREATE OR REPLACE TRIGGER seals_demand_order BEFORE INSERT ON seals FOR EACH ROW WHEN (false)"
            " EXECUTE FUNCTION demand_seal_order('')",
            "seals_demand_order is changed",
        ),
    ],
)
def test_a_guard_that_was_tampered_with_is_named(engine: Engine, statement: str, problem: str) -> None:
    assert unguarded(engine) == []

    with connected(engine) as connection:
        connection.execute(statement.encode())

    assert problem in " ".join(one.problem for one in unguarded(engine))


@pytest.mark.parametrize("has_amcheck", [True, False])
def test_an_index_that_lacks_an_event_is_damaged(
    before: list[Entry], engine: Engine, ledger: Ledger, has_amcheck: bool
) -> None:
    """The chain is read along the table, and fits."""
    with connected(engine) as connection:
        if has_amcheck:
            connection.execute("CREATE EXTENSION amcheck")
        assert damages(engine) == []
        connection.execute("UPDATE pg_index SET indisready = false WHERE indrelid = 'events'::regclass")
        connection.execute(PAST_THE_TRIGGERS)
        connection.execute(INSERT, row(4, "d", "game-g1", 9))
        connection.execute("UPDATE pg_index SET indisready = true WHERE indrelid = 'events'::regclass")

    assert {one.kind for one in damages(engine)} == {"damaged"}
    if has_amcheck:
        with connected(engine) as connection:
            connection.execute("DROP EXTENSION amcheck")
    assert len(before) + 1 == len(ledger.read(limit=9)) or ledger.find("d") is None


@pytest.mark.parametrize("held", [False, True])
def test_what_a_foreign_rule_leaves_out_is_not_acknowledged(engine: Engine, ledger: Ledger, held: bool) -> None:
    ledger.append("game-kept", [game_started()], 0)
    with closing(ledger.connect()) as keeping:
        on = keeping if held else None
        ledger.append_all([ledger.prepare("game-kept", [round_played()], 1)], on=on)
        with connected(engine) as connection:
            connection.execute(b"CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING")

        with pytest.raises(LeftOutError, match="took 0 of 1 events"):
            ledger.append_all([ledger.prepare("game-lost", [game_started()], 0)], on=on)
