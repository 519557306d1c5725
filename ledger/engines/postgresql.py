"""PostgreSQL: connections that give up in time, and keep to the server that can be written to.

Only here, and in the rooms whose names begin like this one's, is its driver known.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast

from psycopg import Connection as DriverConnection
from psycopg import Cursor, OperationalError
from psycopg import Error as DriverError
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic
from psycopg.pq import Format
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from ledger.engines.options import DATABASE, SINGLE, WRITE
from ledger.engines.pool import OwningPool
from ledger.engines.postgresql_dump import dump, restored
from ledger.engines.postgresql_queries import (
    Queries,
    begin_defining,
    begin_reading,
    begin_writing,
)
from ledger.engines.postgresql_refusals import POOLER, refusal_of
from ledger.engines.postgresql_trips import Prepared, Trips
from ledger.errors import NoLedgerError, StorageError

CONNECTION_SECONDS_MAX: Final = 4.0
"""How long a caller waits for a connection while all are taken."""
ANSWER_SECONDS_MAX: Final = 8.0
"""How long a process that serves waits for an answer: a commit hangs for as long as no standby confirms it."""
PREPARE_AFTER: Final = 2
"""A statement is prepared when it comes for this time: to plan a small one takes longer than to execute it."""

ADDRESS: Final[dict[str, str | int]] = {
    "application_name": "promotion-ledger",
    "connect_timeout": 2,
    "tcp_user_timeout": 3_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}
SETTINGS: Final = {
    # A process that is frozen inside of an append holds the log's lock. After the first of these its session ends,
    # and the next writer goes on before the second is over for it.
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "5s",
    # An answer means that the event is kept, whatever the server's own default says.
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


class Postgresql(Queries):
    """See `ledger.engines.database.Database`."""

    driver_errors = (
        DBAPIError,
        DriverError,  # an append speaks to the driver itself
        UnicodeDecodeError,
    )

    def check_name(self) -> None:
        """Nothing can take its place under this process: a server that has is found by its history."""

    def check(self, connection: Connection) -> None:
        """As `check_name`."""

    def check_read(self) -> None:
        """What was read is one state: a transaction sees to it."""

    def copy(self, engine: Engine, target: Path) -> None:
        """Write a dump of the schema to a file, consistent at one moment."""
        with engine.connect() as connection:
            schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
        dump(engine, schema, target)

    @contextmanager
    def opened_copy(self, engine: Engine, copied: Path) -> Iterator[Engine]:
        """A dump for a block, restored into a database of its own and opened for reading."""
        with restored(engine, copied) as name:
            reader = open_reader(engine.url.set(database=name))
            try:
                yield reader
            finally:
                reader.dispose()

    def refusal(self, error: Exception) -> StorageError:
        """What an error of the driver means."""
        return refusal_of(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error)


class BinaryCursor(Cursor[Any]):
    """A cursor whose results are not text, which would take a third longer to read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.format = Format.BINARY


class BoundedConnection(DriverConnection[Any]):
    """A connection that is closed when an answer takes too long.

    It is never cancelled: a commit that waits for a standby would be told to have succeeded.
    """

    answer_seconds_max: float | None = None
    """The limit of an answer, as a rule."""
    answer_seconds: float | None = None
    """The limit of an answer now."""
    trips: Trips | None = None
    """Those of the append that is made on it."""
    is_unconfirmed = False
    """Whether a commit was answered before a standby had it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.prepared = Prepared()

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        """Have the session drop what is prepared under a name; without one all of it, be it the driver's or not.

        The driver does so when it has rolled back or changed a table.
        """
        if name is None:
            self.prepared.clear()
        return super()._deallocate(name)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """What the driver's generator comes to. Raises the driver's OperationalError when it takes too long."""
        limit = self.answer_seconds if timeout is None else timeout
        started = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except OperationalError:
            if limit is not None and time.monotonic() - started >= limit:
                self.pgconn.finish()
            raise

    def note(self, diagnostic: Diagnostic) -> None:
        """Take in what the server remarks."""
        if diagnostic.sqlstate == "01000" and "synchronous replication" in (diagnostic.message_primary or ""):
            self.is_unconfirmed = True


def open_engine(url: URL, *, must_exist: bool) -> Engine:
    """As `ledger.engines.database.open_engine`."""
    # Where several servers are named, this is what finds the one that is not a standby.
    query = {"target_session_attrs": "read-write", **url.query}
    engine = _engine(url.set(query=query), SETTINGS, ANSWER_SECONDS_MAX)
    if must_exist:
        _demand_ledger(engine)
    return engine


def open_reader(url: URL) -> Engine:
    """As `ledger.engines.database.open_reader`."""
    if url.query.get("target_session_attrs") == "read-write":
        # The driver would find no server of this kind: the session itself may not write.
        url = url.update_query_dict({"target_session_attrs": "primary"})
    # An audit's questions take as long as they take.
    engine = _engine(url, {**SETTINGS, "default_transaction_read_only": "on"}, None)
    _demand_ledger(engine)
    return engine


def _engine(url: URL, settings: dict[str, str], answer_seconds: float | None) -> Engine:
    engine = create_engine(
        url,
        poolclass=OwningPool,
        creator=lambda: connect(),
        execution_options={DATABASE: Postgresql()},
        pool_timeout=CONNECTION_SECONDS_MAX,
    )
    _, parameters = engine.dialect.create_connect_args(url)
    own = parameters.pop("options", "")
    options = " ".join([*(f"-c {name}={value}" for name, value in settings.items()), str(own)])

    def connect() -> BoundedConnection:
        return _connected({**ADDRESS, **parameters, "options": options}, answer_seconds)

    event.listen(engine, "begin", _begin)
    return engine


def _connected(parameters: dict[str, Any], answer_seconds: float | None) -> BoundedConnection:
    """A connection that speaks for itself. Raises the driver's errors and StorageError."""
    connection = BoundedConnection.connect(
        autocommit=True, prepare_threshold=PREPARE_AFTER, cursor_factory=BinaryCursor, **parameters
    )
    with ExitStack() as failing:
        failing.callback(connection.close)
        connection.answer_seconds_max = connection.answer_seconds = answer_seconds
        connection.add_notice_handler(connection.note)
        _examine(connection)
        failing.pop_all()
    return connection


def _examine(connection: BoundedConnection) -> None:
    """Refuse what would break a promise later, and unseen."""
    row = connection.execute("SELECT pg_backend_pid(), current_setting('server_encoding')").fetchone()
    assert row is not None
    pid, encoding = row
    if pid != connection.info.backend_pid:
        # A pooler gives the session's settings, prepared statements and deadlines to another client.
        raise StorageError(POOLER)
    if encoding != "UTF8":
        raise StorageError(
            f"the database's encoding is {encoding}: make one with ENCODING 'UTF8' TEMPLATE template0"
        )


def _demand_ledger(engine: Engine) -> None:
    database = engine.get_execution_options()[DATABASE]
    with ExitStack() as failing:
        failing.callback(engine.dispose)
        try:
            found = database.has_tables(engine)
        except database.driver_errors as error:
            raise database.refusal(error) from error
        if not found:
            raise NoLedgerError(engine.url.render_as_string())
        failing.pop_all()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    driver = cast(BoundedConnection, connection.connection.driver_connection)
    driver.answer_seconds = driver.answer_seconds_max
    if options.get(SINGLE, False):
        return
    if WRITE not in options:
        begin_reading(driver)
    elif tables := options[WRITE]:
        begin_writing(driver, tables)
    else:
        driver.answer_seconds = None  # a large table takes as long as it takes
        begin_defining(driver)
