"""A database by its URL: opened for writing or for reading alone, and one transaction on it.

Which kind of database it is, is known here and in the rooms beside this one, and nowhere else.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from sqlalchemy import URL, Column, ColumnElement, Connection, Engine, Select, Table, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.engines import sqlite
from ledger.engines.beside import Beside
from ledger.engines.options import DATABASE, SINGLE, WRITE
from ledger.engines.sqlite import SUPPORTED
from ledger.errors import NoLedgerError, StorageError, UnavailableError

POSITION_MIN, POSITION_MAX = -(2**63), 2**63 - 1


class Database(Protocol):
    """What a kind of database does in its own way."""

    driver_errors: tuple[type[Exception], ...]
    """What its driver raises."""

    clock_us: str
    """The SQL expression of the time by its clock, in microseconds since the epoch."""

    def check_name(self) -> None:
        """As `check`, where no connection is at hand."""
        ...

    def check(self, connection: Connection) -> None:
        """Raise ReplacedError when the database is not the one that this process opened."""
        ...

    def check_read(self) -> None:
        """Raise StorageError when what a transaction has read is no one state."""
        ...

    def refusal(self, error: Exception) -> StorageError:
        """What an error of the driver means."""
        ...

    own_tables: frozenset[str]
    """The tables that other engines do without."""

    def has_tables(self, engine: Engine) -> bool:
        """Whether there is a ledger, or something else where one should be. Raises what the driver raises."""
        ...

    def appending(self, connection: Connection) -> AbstractContextManager[None]:
        """A transaction that appends: it holds the lock of the events from `look` on, at the latest.

        For the block from `look` to `insert`, of which a database on a network makes two trips.
        """
        ...

    def look(
        self, connection: Connection, streams: Sequence[str], ids: Sequence[str]
    ) -> tuple[Sequence[Any] | None, dict[str, int], list[Sequence[Any]]]:
        """What an append is decided from: the newest event's (position, chain hash, time), if there is one.

        Besides the version of each of the streams that exists, and the events that have one of the ids.
        """
        ...

    def insert(
        self, connection: Connection, rows: Sequence[tuple[object, ...]], besides: Sequence[Beside]
    ) -> None:
        """Insert events, if any, execute what stands beside them, and end the transaction."""
        ...

    extension_rows_max: int
    """How many events `extend` inserts at most."""

    def extend(
        self,
        connection: Connection,
        chain_hash: bytes,
        versions: Mapping[str, int],
        rows: Sequence[tuple[object, ...]],
    ) -> bool:
        """Insert events in a transaction of its own, if the newest one has this hash and streams these versions.

        False where that is not so: then nothing is written.
        """
        ...

    def load(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many events, as they stand in another database."""
        ...

    def adopt(self, connection: Connection, ledger_id: str) -> None:
        """Give a ledger that has no event yet the id of the one that it is to be. For its tables' owner."""
        ...

    def linger(self, connection: Connection) -> None:
        """Let the transaction rest between two statements for longer than a frozen process may."""
        ...

    def settle(self, connection: Connection) -> None:
        """Have the commit of this transaction prove that those before it are as durable as they will be."""
        ...

    def pages(
        self,
        read: Callable[[], AbstractContextManager[Connection]],
        first: int,
        last: int,
        limit: int,
        *,
        as_stored: bool,
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        """The events at these positions, in pages of at most `limit`; `read` gives a connection for a block."""
        ...

    def stored(self, connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
        """The rows that a query of events gives, as the driver's own tuples, with text as the bytes stored."""
        ...

    def bytes_of(self, column: Column[str]) -> ColumnElement[bytes]:
        """A column of text as the bytes that are stored."""
        ...

    def remembered(self, connection: Connection) -> object:
        """The last position that was ever given, where the database remembers it."""
        ...

    def copy(self, engine: Engine, target: Path) -> None:
        """Write a backup of all of it, consistent at one moment, to a file that exists and is empty."""
        ...

    def opened_copy(self, engine: Engine, copied: Path) -> AbstractContextManager[Engine]:
        """A backup for a block, opened for reading."""
        ...

    def damages(self, connection: Connection) -> Iterator[str]:
        """What the database finds wrong with its own structures."""
        ...

    def unguarded(self, connection: Connection) -> Iterator[str]:
        """The triggers that are not as they should be."""
        ...


def open_engine(url: str, *, must_exist: bool = False) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...`.

    The folder of a file is made, and the file unless it must exist; no other database is. The caller disposes of
    the engine. Raises StorageError on any other URL, when the folder cannot be made, or NoLedgerError.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite.open_engine(parsed, must_exist=must_exist)
    # The driver takes a tenth of the time in which a command starts, and a ledger in a file needs none of it.
    from ledger.engines.postgresql import open_engine as open_server

    return open_server(parsed, must_exist=must_exist)


def open_reader(url: str, *, traceless: bool = False) -> Engine:
    """As `open_engine`, for a ledger that exists, through which nothing can be written, whatever is tried.

    `traceless`: no file is made beside a database file either; for a caller that is done in seconds, because it
    must begin again when another process opens the database meanwhile and writes. The caller disposes of the
    engine. Raises StorageError on any other URL, NoLedgerError.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite.open_reader(parsed, traceless=traceless)
    from ledger.engines.postgresql import open_reader as open_server

    return open_server(parsed)


def parse_url(url: str) -> URL:
    """A database's URL in its parts. Raises StorageError, which does not repeat it: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a bare ValueError
        raise StorageError(f"the database's URL does not parse: write {SUPPORTED}") from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise StorageError(f"{parsed.render_as_string()} is not supported: write {SUPPORTED}")
    return parsed


@contextmanager
def disposing(engine: Engine) -> Iterator[Engine]:
    """The engine for a block, at whose end its connections are closed."""
    try:
        yield engine
    finally:
        engine.dispose()


def writing(connection: Connection, tables: Sequence[Table]) -> Connection:
    """The same connection, whose next transaction begins with the locks for writing to tables.

    A transaction that reads first and writes later fails when another one wrote in between, and no time-out helps:
    on SQLite by "database is locked", on PostgreSQL by a second row. Reads must not take the lock: they would
    stall the writer by seconds. SQLite has one lock for all tables; where there are more, a writer waits for those
    of its own table alone. What needs several names them in one order, that of the events first.
    """
    return connection.execution_options(**{WRITE: tuple(table.name for table in tables)})


@contextmanager
def defining(engine: Engine) -> Iterator[Connection]:
    """As `transaction`, for changing the tables themselves: one process at a time, however long it takes."""
    database = database_of(engine)
    with (
        _translated(database),
        engine.connect() as connection,
        connection.execution_options(**{WRITE: ()}).begin(),
        _dropping(database, connection),
    ):
        yield connection


@contextmanager
def transaction(engine: Engine, *, write: Sequence[Table] = ()) -> Iterator[Connection]:
    """One transaction on a connection of its own; with `write` it holds the locks of these tables.

    One that reads sees one state of the database. Raises StorageError when the database refuses: DamagedError when
    it cannot be read, DiskFullError, UnavailableError when it went away, and ReplacedError when it is not the one
    that was opened (then what was written here is not to be relied on).
    """
    database = database_of(engine)
    with _translated(database), engine.connect() as connection:
        begun = writing(connection, write) if write else connection
        with begun.begin(), _dropping(database, connection):
            if write:
                database.check(connection)
            yield connection
        if write:
            # What is committed to a file that has no name any more is gone with the process.
            database.check(connection)
        else:
            database.check_read()


@contextmanager
def appending(engine: Engine, kept: Connection | None = None) -> Iterator[Connection]:
    """As `transaction` for events, where `look` comes first, and takes the lock, and `insert` last.

    On a connection of its own, or on one that the caller keeps from append to append.
    """
    database = database_of(engine)
    with _translated(database), nullcontext(kept) if kept is not None else engine.connect() as connection:
        with _dropping(database, connection), database.appending(connection):
            database.check(connection)
            yield connection
        database.check(connection)


def extend(
    engine: Engine,
    kept: Connection,
    chain_hash: bytes,
    versions: Mapping[str, int],
    rows: Sequence[tuple[object, ...]],
) -> bool:
    """As `Database.extend`. Raises as `transaction`."""
    database = database_of(engine)
    with _translated(database), _dropping(database, kept):
        database.check(kept)
        done = database.extend(kept, chain_hash, versions, rows)
        database.check(kept)
    return done


def connect(engine: Engine) -> Connection:
    """A connection for the caller to keep and to close. Raises StorageError."""
    with _translated(database_of(engine)):
        return engine.connect()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for one statement, which is a transaction by itself. Raises as `transaction`."""
    database = database_of(engine)
    with _translated(database), engine.connect() as connection:
        with connection.execution_options(**{SINGLE: True}).begin(), _dropping(database, connection):
            yield connection
        database.check_read()


def pages(
    engine: Engine, after: int | None, through: int | None, *, limit: int, as_stored: bool = False
) -> Generator[list[tuple[Any, ...]], None, None]:
    """All events with `after` < position <= `through` (None: whatever there is), by position, `limit` at a time.

    As the driver's own tuples, `as_stored` with text as the bytes stored. Each page is one state of the database:
    while the caller has it no lock is held, and a connection only where one reads ahead. Raises as `transaction`.
    """
    first = POSITION_MIN if after is None else after + 1
    last = POSITION_MAX if through is None else through
    if first <= last:
        yield from database_of(engine).pages(partial(reading, engine), first, last, limit, as_stored=as_stored)


def file_of(url: str) -> Path | None:
    """The file in which the database lies; None where it is on a server. Raises StorageError."""
    parsed = parse_url(url)
    return sqlite.file_of(parsed) if parsed.get_backend_name() == "sqlite" else None


def holds_ledger(url: str) -> bool:
    """Whether there is a database file, or a ledger in a server's database. Raises StorageError."""
    path = file_of(url)
    if path is not None:
        return path.is_file()
    with disposing(open_engine(url)) as engine:
        return has_tables(engine)


def has_tables(engine: Engine) -> bool:
    """Whether a database has a ledger's tables; of a file, whether it has any. Raises StorageError."""
    database = database_of(engine)
    with _translated(database):
        return database.has_tables(engine)


def demand_ledger(url: str) -> None:
    """Raise NoLedgerError where there is none, or StorageError."""
    if not holds_ledger(url):
        raise NoLedgerError(file_of(url) or parse_url(url).render_as_string())


def database_of(engine: Engine) -> Database:
    """The database behind an engine that was opened here."""
    return cast(Database, engine.get_execution_options()[DATABASE])


@contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StorageError("every connection to the database is taken: try again in a moment") from error
    except database.driver_errors as error:
        raise database.refusal(error) from error


@contextmanager
def _dropping(database: Database, connection: Connection) -> Iterator[None]:
    """Keep no connection whose session is over, or leads to a server that cannot be written to."""
    try:
        yield
    except database.driver_errors as error:
        if isinstance(database.refusal(error), UnavailableError) and not connection.invalidated:
            connection.invalidate(error)
        raise
