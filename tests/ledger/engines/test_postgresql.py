import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, bindparam, insert

from ledger.appends import Receipt
from ledger.engines import postgresql as engines
from ledger.engines.beside import Beside
from ledger.engines.database import disposing, open_engine, open_reader, transaction
from ledger.errors import NoLedgerError, StorageError, UnavailableError
from ledger.grants import grant
from ledger.schema import events, seals
from ledger.store import Ledger
from scripts.ports import free_port
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)


@pytest.fixture
def raw(engine: Engine) -> Iterator[psycopg.Connection]:
    """A connection that goes around the code."""
    name = engine.url.database
    with psycopg.connect(f"host=127.0.0.1 port={engine.url.port} user=postgres dbname={name}") as raw:
        raw.autocommit = True
        yield raw


@pytest.mark.usefixtures("hurried")
def test_every_connection_gives_up_in_time(engine: Engine) -> None:
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit", "jit")
        }

    assert found == {
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "2s",
        "synchronous_commit": "on",
        "jit": "off",
    }


def test_a_session_of_another_test_outlasts_a_machine_that_stands_still(engine: Engine) -> None:
    with engine.connect() as connection:
        for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "2min"


@pytest.mark.usefixtures("hurried")
def test_options_of_the_url_are_kept(database: str) -> None:
    with disposing(open_engine(f"{database}?options=-csearch_path%3Dpublic&connect_timeout=7")) as engine:
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW search_path").scalar() == "public"
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
        assert Ledger(engine).head().position == 0


def test_a_reader_takes_the_url_of_a_cluster(database: str, ledger: Ledger) -> None:
    ledger.record(game_started())
    with disposing(open_reader(f"{database}?target_session_attrs=read-write")) as reader:
        assert Ledger(reader).head() == ledger.head()


def test_a_transaction_that_reads_sees_one_state(engine: Engine, ledger: Ledger) -> None:
    count = "SELECT count(*) FROM events"
    with transaction(engine) as connection:
        before = connection.exec_driver_sql(count).scalar()
        ledger.append("game-g1", [game_started()], 0)

        assert connection.exec_driver_sql(count).scalar() == before == 0
    assert ledger.head().position == 1


def test_a_writer_of_one_table_does_not_wait_for_that_of_another(engine: Engine, ledger: Ledger) -> None:
    with transaction(engine, write=[seals]):
        assert ledger.append("game-g1", [game_started()], 0).first_position == 1


def test_a_writer_waits_for_another_of_its_table(engine: Engine, ledger: Ledger) -> None:
    entered, done = threading.Event(), []

    def append() -> None:
        entered.set()
        ledger.append("game-g1", [game_started()], 0)
        done.append(True)

    other = threading.Thread(target=append)
    with transaction(engine, write=[events]):
        other.start()
        assert entered.wait(PATIENCE_SECONDS)
        other.join(0.1)
        assert not done
    other.join()

    assert done


@pytest.mark.usefixtures("hurried")
def test_a_process_that_is_frozen_with_the_lock_holds_up_nobody_for_long(engine: Engine, ledger: Ledger) -> None:
    def freeze() -> None:
        with transaction(engine, write=[events]) as frozen:
            ledger.append("game-g1", [game_started()], 0)  # waits for two seconds, until the other session is over
            frozen.exec_driver_sql("SELECT 1")

    with pytest.raises(UnavailableError, match="idle"):
        freeze()

    assert ledger.head().position == 1


@pytest.mark.usefixtures("hurried")
def test_a_process_that_is_frozen_in_an_append_holds_up_nobody_for_long(engine: Engine, ledger: Ledger) -> None:
    """It has read the head, and numbers its events long after."""
    frozen_at: list[int] = []

    def clock() -> float:
        if not frozen_at:
            frozen_at.append(ledger.append("game-g1", [game_started()], 0).first_position)
        return 1.0

    receipt = Ledger(engine, clock=clock).append("game-g2", [game_started()], 0)

    assert (frozen_at, receipt.first_position) == ([1], 2)
    assert_intact(ledger.read())


def test_a_reader_cannot_write(database: str, ledger: Ledger) -> None:
    with disposing(open_reader(database)) as reader:
        with pytest.raises(StorageError, match="read-only transaction"):
            Ledger(reader, resend_seconds=0).append("game-g1", [game_started()], 0)

        assert Ledger(reader).head() == ledger.head()


class Killed:
    """Ends sessions of a database: those that append, as soon as they have begun."""

    def __init__(self, raw: psycopg.Connection) -> None:
        self.raw = raw

    def __call__(self) -> None:
        self.raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_an_append_whose_connection_is_lost_is_sent_again(
    ledger: Ledger, raw: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append("game-g1", [game_started()], 0)
    Killed(raw)()

    receipt = ledger.append("game-g1", [round_played()], 1)

    assert receipt.version == 2
    assert [record for record in caplog.records if record.name == "psycopg"] == []
    assert_intact(ledger.read())


def test_an_append_whose_answer_is_lost_is_stored_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    appending, lost = engines.Postgresql.appending, list[bool]()

    @contextmanager
    def losing(self: engines.Postgresql, connection: Connection) -> Iterator[None]:
        with appending(self, connection):
            yield
        if not lost:
            lost.append(True)
            raise psycopg.OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(engines.Postgresql, "appending", losing)

    receipt = ledger.append("game-g1", [game_started(), round_played()], 0)

    assert (receipt.first_position, receipt.last_position, ledger.head().position) == (1, 2, 2)
    assert lost
    assert_intact(ledger.read())


def test_an_append_is_refused_when_the_server_stays_away(database: str) -> None:
    with disposing(open_engine(database)) as engine:
        ledger = Ledger(engine, resend_seconds=0.2)
        ledger.head()
        engine.dispose()
    gone = engine.url.set(port=free_port()).render_as_string(hide_password=False)
    with disposing(open_engine(gone)) as nowhere, pytest.raises(UnavailableError, match="is not to be reached"):
        Ledger(nowhere, resend_seconds=0.2).append("game-g1", [game_started()], 0)


def test_a_commit_that_no_standby_confirms_is_not_acknowledged(
    postgresql: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has it, and hangs; a connection that was cancelled would be told of a success."""
    monkeypatch.setattr(engines, "ANSWER_SECONDS_MAX", 0.3)
    url = engine.url.render_as_string(hide_password=False)
    postgresql.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    try:
        with disposing(open_engine(url)) as bounded:
            ledger = Ledger(bounded, resend_seconds=0.1)
            for number in itertools.count():  # until the server's other processes have read its setting, too
                try:
                    ledger.append(f"game-before-{number}", [game_started()], 0)
                except UnavailableError:
                    break
            with pytest.raises(UnavailableError):
                ledger.append("game-g1", [game_started()], 0)
            # What is stored here alone is acknowledged no more easily the second time.
            with pytest.raises(UnavailableError):
                ledger.append("game-g1", [game_started()], 0, ids=["a"])
            with pytest.raises(UnavailableError):
                ledger.append("game-g1", [game_started()], 0, ids=["a"])
    finally:
        postgresql.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


def test_another_warning_than_that_of_a_standby_leaves_an_append_acknowledged(
    engine: Engine, ledger: Ledger, raw: psycopg.Connection
) -> None:
    notes = Table("notes", MetaData(), Column("note", Text))
    notes.create(engine)
    raw.execute(
        "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE WARNING 'the disk is nearly full'; RETURN NEW; END $$"
    )
    raw.execute("CREATE TRIGGER warned BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION warn()")

    noting = Beside(insert(notes).values(note=bindparam("text")), {"text": "g1"})

    receipt, *_ = ledger.append_all([ledger.prepare("game-g1", [game_started()], 0, beside=noting)])

    assert isinstance(receipt, Receipt)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"password": "wrong-horse", "username": "secretive"}, "password authentication failed"),
        ({"database": "elsewhere"}, 'database "elsewhere" does not exist'),
        ({"username": "stranger"}, 'role "stranger" does not exist'),
    ],
)
def test_what_is_wrong_with_an_address_is_said_in_one_line(
    postgresql: Server, engine: Engine, change: dict[str, str], problem: str
) -> None:
    postgresql.execute("DROP ROLE IF EXISTS secretive", "CREATE ROLE secretive LOGIN PASSWORD 'correct-horse'")
    url = engine.url.set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]

    with disposing(open_engine(url)) as wrong, pytest.raises(StorageError, match=problem) as caught:
        Ledger(wrong).head()

    assert "\n" not in str(caught.value)
    assert "horse" not in str(caught.value)


def test_a_database_without_a_ledger_is_named(postgresql: Server) -> None:
    name = postgresql.new_database()
    url = postgresql.url(name, password="hunter2")

    for open_one in (open_reader, lambda url: open_engine(url, must_exist=True)):
        with pytest.raises(NoLedgerError, match=name) as caught:
            open_one(url)
        assert "hunter2" not in str(caught.value)
    with disposing(open_engine(url)) as engine, pytest.raises(StorageError, match="run `rps migrate`"):
        Ledger(engine).append("game-g1", [game_started()], 0)
    postgresql.drop(name)


def test_a_database_in_another_encoding_is_refused(postgresql: Server) -> None:
    postgresql.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' STRATEGY wal_log")

    with disposing(open_engine(postgresql.url("latin"))) as engine, pytest.raises(StorageError, match="LATIN1"):
        Ledger(engine).head()
    postgresql.drop("latin")


def test_a_standby_alone_is_not_taken_for_the_ledger(postgresql: Server, engine: Engine) -> None:
    """A server that only answers reads, as a standby does."""
    name = engine.url.database
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        with disposing(open_engine(postgresql.url(str(name)))) as standby, pytest.raises(UnavailableError):
            Ledger(standby, resend_seconds=0).append("game-g1", [game_started()], 0)
    finally:
        postgresql.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def as_role(engine: Engine, role: str) -> str:
    return engine.url.set(username=role).render_as_string()


def execute(engine: Engine, *statements: str) -> None:
    with transaction(engine, write=[events]) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def appender(postgresql: Server, engine: Engine) -> Iterator[Engine]:
    """The ledger for a role that may append and read."""
    postgresql.execute("DROP ROLE IF EXISTS appender", "CREATE ROLE appender LOGIN")
    grant(engine, "appender")
    with disposing(open_engine(as_role(engine, "appender"))) as appender:
        yield appender
    postgresql.execute("DROP OWNED BY appender", database=str(engine.url.database))
    postgresql.execute("DROP ROLE appender")


def test_a_role_with_grants_appends_and_changes_nothing(appender: Engine) -> None:
    ledger = Ledger(appender)
    ledger.append("game-g1", [game_started(), round_played()], 0)

    for statement in (
        "UPDATE events SET payload = ''",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE ledger_head SET position = 0",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TRIGGER events_refuse_change ON events",
        "INSERT INTO ledger_identity VALUES ('mine')",
        "SET session_replication_role = replica",
    ):
        with pytest.raises(StorageError, match=r"permission denied|must be owner"):
            execute(appender, statement)
    assert_intact(ledger.read())


def test_a_temporary_table_does_not_stand_in_for_the_head(appender: Engine) -> None:
    """The trigger has the owner's rights, and so the owner's search path."""
    Ledger(appender).append("game-g1", [game_started()], 0)

    with pytest.raises(StorageError, match="position must be the next one"):
        execute(
            appender,
            "CREATE TEMPORARY TABLE ledger_head (position bigint)",
            "INSERT INTO ledger_head VALUES (8)",
            f"INSERT INTO events VALUES (9, 'x', 'game-g2', 1, 'game.started', 1, 1, '', '{'0' * 32}')",
        )


def test_a_role_that_may_not_append_is_told_who_can_help(postgresql: Server, engine: Engine) -> None:
    postgresql.execute("DROP ROLE IF EXISTS onlooker", "CREATE ROLE onlooker LOGIN")
    problem = r"permission denied.*rps migrate --grant ROLE"
    with (
        disposing(open_engine(as_role(engine, "onlooker"))) as onlooker,
        pytest.raises(StorageError, match=problem),
    ):
        Ledger(onlooker).append("game-g1", [game_started()], 0)
    postgresql.execute("DROP ROLE onlooker")


def test_too_many_connections_pass(postgresql: Server, engine: Engine) -> None:
    postgresql.execute("DROP ROLE IF EXISTS crowded", "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    problem = "too many connections"
    with (
        disposing(open_engine(as_role(engine, "crowded"))) as crowded,
        pytest.raises(UnavailableError, match=problem),
    ):
        Ledger(crowded, resend_seconds=0).append("game-g1", [game_started()], 0)
    postgresql.execute("DROP ROLE crowded")


def test_a_pooler_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sessions bear a number of its own."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda _: 1))
    engine.dispose()

    with pytest.raises(StorageError, match="connection pooler"):
        Ledger(engine).head()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_under_load_loses_and_doubles_nothing(
    postgresql: Server, database: str, ledger: Ledger, mode: str
) -> None:
    """`fast` ends the sessions, `immediate` is a crash; what was acknowledged is there, once."""
    started = threading.Barrier(5)

    def write(writer: int) -> list[tuple[str, int]]:
        with disposing(open_engine(database)) as own:
            mine = Ledger(own, resend_seconds=PATIENCE_SECONDS)
            acknowledged = []
            for version in range(40):
                if version == 10:
                    started.wait(PATIENCE_SECONDS)
                mine.append(f"game-{writer}", [round_played()], version)
                acknowledged.append((f"game-{writer}", version + 1))
            return acknowledged

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        started.wait(PATIENCE_SECONDS)
        postgresql.stop(mode)
        postgresql.start()
        acknowledged = [one for writer in writers for one in writer.result(PATIENCE_SECONDS)]

    ledger.engine.dispose()
    entries = ledger.read(limit=1_000)
    assert_intact(entries)
    assert sorted((entry.stream, entry.version) for entry in entries) == sorted(acknowledged)
