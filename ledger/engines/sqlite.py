"""SQLite: one file in WAL mode, durable at each commit, and known by more than its name."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from ledger.engines.options import DATABASE, SINGLE, WRITE
from ledger.engines.pool import OwningPool
from ledger.engines.sqlite_queries import Queries
from ledger.errors import DamagedError, DiskFullError, NoLedgerError, ReplacedError, StorageError
from ledger.files import make_folder, make_private, problem_of, sqlite_url

BUSY_TIMEOUT_MS = 10_000
BUSY_RETRY_MS = 10
CONNECTION_SECONDS_MAX = 4.0
"""How long a caller waits for a connection while all are taken."""
WAL_BYTES_MAX = 64 << 20
"""What the write-ahead log keeps of the disk once no reader needs more of it."""

SUPPORTED = "sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"
_UNDECODABLE = "Could not decode to UTF-8"
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})

FileId = tuple[int, int]
"""Device and inode."""


class Sqlite(Queries):
    """A database that is no file: in memory, for one process."""

    driver_errors = (
        DBAPIError,
        sqlite3.Error,  # a caller that reads from the driver's cursor gets the driver's own errors
        UnicodeDecodeError,  # so may the driver's message be, where it repeats a schema that is damaged
    )

    def check_name(self) -> None:
        """Nothing can take its place."""

    def check(self, connection: Connection) -> None:
        """Nothing can take its place."""

    def check_read(self) -> None:
        """What was read is one state: a transaction sees to it."""

    @contextmanager
    def opened_copy(self, engine: Engine, copied: Path) -> Iterator[Engine]:  # noqa: ARG002
        """A backup for a block, opened for reading."""
        reader = open_reader(make_url(sqlite_url(copied)), traceless=False)
        try:
            yield reader
        finally:
            reader.dispose()

    def refusal(self, error: Exception) -> StorageError:
        """What an error of the driver means."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0)
        if isinstance(cause, UnicodeDecodeError) or str(cause).startswith(_UNDECODABLE):
            # The driver's message goes on with the text itself, whatever bytes and lines that holds.
            return DamagedError("a text is not UTF-8")
        if code & 0xFF == sqlite3.SQLITE_CORRUPT:
            return DamagedError(str(cause))
        if code in _FULL:
            return DiskFullError(str(cause))
        return StorageError(f"the database refused: {cause}")


class StillFile(Sqlite):
    """A file that no process has open, read without a lock and without the two files that a lock needs.

    A process that opens it meanwhile may write into what is being read. Then the file's time or size is another
    one at the end, and what was read counts for nothing, be it rows or an error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._found()

    def check_read(self) -> None:
        """Raise StorageError when the file was written to since it was opened."""
        if self._found() != self._seen:
            raise self._changed()

    def refusal(self, error: Exception) -> StorageError:
        """What an error of the driver means."""
        return super().refusal(error) if self._found() == self._seen else self._changed()

    def _found(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _changed(self) -> StorageError:
        return StorageError(f"{self._path} was written to while it was read: run the command again")


class SqliteFile(Sqlite):
    """The file behind an engine: made at most once, and from then on known by device and inode.

    A file that was removed or replaced goes on being written by the connections that have it open. What they
    commit is durable and lost at once, so the name is compared before a transaction writes and again before its
    caller hears that it is done. So is that of the write-ahead log, where all of it stands until a checkpoint.
    """

    def __init__(self, path: Path, *, make: bool) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._make = make
        self._id: FileId | None = None
        self._lock = threading.Lock()

    def connect(self) -> sqlite3.Connection:
        """A connection of the driver's. Raises ReplacedError, and what the driver raises."""
        with self._lock:
            if self._id is None and self._make:
                self._make_file()
            self.check_name()
            return _connected(f"{_address(self._path)}?mode=rw", self._prepare)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        self._id = self._id or self._found(self._path)
        self.check_name()
        _prepare_writer(connection)

    def check(self, connection: Connection) -> None:
        """Raise ReplacedError when the name is not that of the file which this connection writes."""
        self.check_name()
        # While a connection has it open no other process takes the log away: the last one to close does.
        found = self._found(self._wal)
        if connection.info.setdefault(self._wal, found) != found:
            raise self._replaced(self._wal)

    def check_name(self) -> None:
        """As `check`, of the database's own name alone."""
        if self._id is not None and self._found(self._path) != self._id:
            raise self._replaced(self._path)

    def wal_bytes(self) -> int:
        """How large the write-ahead log is."""
        return _bytes(self._wal)

    def size_bytes(self) -> int | None:
        """What the file and its write-ahead log take of the disk; None where the file cannot be found."""
        try:
            return self._path.stat().st_size + self.wal_bytes()
        except OSError:
            return None

    def _make_file(self) -> None:
        """The driver would make it for all to read, with whatever names of players it comes to hold."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StorageError(f"cannot make {self._path}: {problem_of(error)}") from error

    def _found(self, path: Path) -> FileId:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            raise ReplacedError(path, "is gone") from None
        return found.st_dev, found.st_ino

    def _replaced(self, path: Path) -> ReplacedError:
        return ReplacedError(path, "is another file than the one that was opened")


def open_engine(url: URL, *, must_exist: bool) -> Engine:
    """As `ledger.engines.database.open_engine`."""
    path = _path(url)
    if must_exist and not path.is_file():
        raise NoLedgerError(path)
    if path.is_dir():
        raise StorageError(f"{path} is a folder: name a file in it, as in {path / 'ledger.db'}")
    try:
        make_folder(path.parent)
        for one in (path, *beside(path)):
            make_private(one)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {problem_of(error)}") from error
    file = SqliteFile(path, make=not must_exist)
    engine = create_engine(
        url,
        poolclass=OwningPool,
        creator=file.connect,
        execution_options={DATABASE: file},
        pool_timeout=CONNECTION_SECONDS_MAX,
    )
    event.listen(engine, "begin", _begin)
    return engine


def open_reader(url: URL, *, traceless: bool) -> Engine:
    """As `ledger.engines.database.open_reader`."""
    path = _path(url)
    if not path.is_file():
        raise NoLedgerError(path)
    # Beside a database in WAL mode a reader has to make two files, unless no other process can write there either.
    still = (traceless or not os.access(path.parent, os.W_OK)) and not _bytes(beside(path)[0])
    address = f"{_address(path)}?mode=ro{'&immutable=1' if still else ''}"
    engine = create_engine(
        url,
        poolclass=OwningPool,
        creator=lambda: _connected(address, _prepare_reader),
        execution_options={DATABASE: StillFile(path) if still else Sqlite()},
    )
    event.listen(engine, "begin", _begin)
    return engine


def file_of(url: URL) -> Path:
    """The file that `sqlite:///FILE` names. Raises StorageError on any other URL."""
    return _path(url)


def open_memory() -> Engine:
    """An empty database in memory, for one caller at a time."""
    return create_engine(
        "sqlite://",
        poolclass=StaticPool,
        # The one that closes it may be the garbage collector, which runs in whatever thread is at work.
        connect_args={"check_same_thread": False},
        execution_options={DATABASE: Sqlite()},
    )


def beside(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a database while it is open."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def bound_wal(engine: Engine, *, bytes_max: int = WAL_BYTES_MAX) -> bool:
    """Give back the disk that a write-ahead log took while a reader held it; False where it is not too large.

    It waits for no lock: a reader, or a program that ships the log elsewhere, keeps it as long as it likes. All is
    copied in one step, under the write lock: SQLite before 3.51.3 may lose what is committed while one checkpoint
    follows at once on another. Raises StorageError.
    """
    file = engine.get_execution_options()[DATABASE]
    if not isinstance(file, SqliteFile) or file.wal_bytes() <= bytes_max:
        return False
    try:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                driver.execute("PRAGMA busy_timeout = 0")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    except file.driver_errors as error:
        raise file.refusal(error) from error
    return True


def size_bytes(engine: Engine) -> int | None:
    """What the ledger takes of the disk, its write-ahead log included.

    None where the database is no file, or where the file cannot be found: a server would have to be asked.
    """
    file = engine.get_execution_options()[DATABASE]
    return file.size_bytes() if isinstance(file, SqliteFile) else None


def _path(url: URL) -> Path:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise StorageError(f"{url.render_as_string()} is not supported: write {SUPPORTED}")
    try:
        url.database.encode()
    except UnicodeEncodeError as error:
        raise StorageError(f"{url.database!a} is no text in UTF-8: write {SUPPORTED}") from error
    if url.host or url.query or "\0" in url.database:
        # Two slashes begin a host's name, and what follows a question mark is for a driver that is not asked.
        raise StorageError(f"{url.render_as_string()!r} names no file: write {SUPPORTED}")
    return Path(url.database)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _address(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


def _connected(address: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """A connection that is prepared, or closed: where a listener of SQLAlchemy's fails, it would be left open."""
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    with ExitStack() as failing:
        failing.callback(connection.close)
        prepare(connection)
        failing.pop_all()
    return connection


def _prepare_writer(dbapi_connection: sqlite3.Connection) -> None:
    _prepare_any(dbapi_connection)
    _switch_to_wal(dbapi_connection)
    dbapi_connection.execute("PRAGMA synchronous = FULL")
    dbapi_connection.execute("PRAGMA foreign_keys = ON")
    # The log grows for as long as a reader holds it; when it starts over it is cut to this.
    dbapi_connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")


def _prepare_reader(dbapi_connection: sqlite3.Connection) -> None:
    _prepare_any(dbapi_connection)
    dbapi_connection.execute("PRAGMA query_only = ON")


def _prepare_any(dbapi_connection: sqlite3.Connection) -> None:
    dbapi_connection.isolation_level = None  # or pysqlite would decide where transactions begin
    dbapi_connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _switch_to_wal(dbapi_connection: sqlite3.Connection) -> None:
    """Set the journal mode, waiting for others as long as the busy timeout says.

    The mode stays in the file, so only the very first connection changes anything. But the change turns a read
    lock into a write lock, and there SQLite answers "database is locked" at once instead of waiting (two that
    wait in this place would wait for each other): of several first starts on one new file, some would fail.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_RETRY_MS / 1000)
        else:
            return


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(SINGLE, False):
        connection.exec_driver_sql("BEGIN" if WRITE not in options else "BEGIN IMMEDIATE")
