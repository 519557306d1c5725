"""An engine from a URL, with everything that is particular to its database."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from ledger.errors import DamagedError, StorageError

BUSY_TIMEOUT_MS = 10_000
BUSY_RETRY_MS = 10
_UNDECODABLE = "Could not decode to UTF-8"


def open_engine(url: str, *, must_exist: bool = False) -> Engine:
    """An engine for `sqlite:///FILE`; its folder is made, the file itself only if it need not exist.

    Raises StorageError on any other URL, when the folder cannot be made, or when the file must exist and does not.
    """
    path = file_of(url)
    if must_exist and not path.is_file():
        raise StorageError(f"there is no database at {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def open_reader(url: str) -> Engine:
    """An engine for `sqlite:///FILE` through which nothing can be written, whatever is tried.

    Raises StorageError on any other URL, or when the file does not exist.
    """
    path = file_of(url)
    if not path.is_file():
        raise StorageError(f"there is no database at {path}")
    # Beside a database in WAL mode a reader has to make two files, unless nobody else can write there either.
    sealed_off = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if sealed_off else ''}"
    engine = create_engine(url, creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False))
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin)
    return engine


def file_of(url: str) -> Path:
    """The file that `sqlite:///FILE` names. Raises StorageError on any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StorageError(f"{url!r} is no database URL: write sqlite:///FILE") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StorageError(f"{parsed.render_as_string()} is not supported: write sqlite:///FILE")
    return Path(parsed.database)


def writing(connection: Connection) -> Connection:
    """The same connection, whose next transaction takes the write lock at once.

    A transaction that reads first and writes later fails with "database is locked" when another one wrote in
    between, and no busy timeout helps. Reads must not take the lock: it would stall the writer by seconds.
    """
    return connection.execution_options(write=True)


@contextmanager
def transaction(engine: Engine, *, write: bool = False) -> Iterator[Connection]:
    """One transaction on a connection of its own.

    Raises StorageError when the database refuses, DamagedError when its file cannot be read.
    """
    try:
        with engine.connect() as connection, (writing(connection) if write else connection).begin():
            yield connection
    except DBAPIError as error:
        raise _refusal(error.orig) from error
    except sqlite3.Error as error:  # whoever reads from the driver's cursor gets the driver's own errors
        raise _refusal(error) from error
    except UnicodeDecodeError as error:  # so may its message be, where it repeats a schema that is damaged
        raise DamagedError("a text is not UTF-8") from error


def _refusal(error: BaseException | None) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_CORRUPT:
        return DamagedError(str(error))
    if str(error).startswith(_UNDECODABLE):
        # The driver's message goes on with the text itself, whatever bytes and lines that holds.
        return DamagedError("a text is not UTF-8")
    return StorageError(f"the database refused: {error}")


def _prepare(dbapi_connection: Any, _record: object) -> None:
    _prepare_any(dbapi_connection)
    _switch_to_wal(dbapi_connection)
    dbapi_connection.execute("PRAGMA synchronous = FULL")
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _prepare_reader(dbapi_connection: Any, _record: object) -> None:
    _prepare_any(dbapi_connection)
    dbapi_connection.execute("PRAGMA query_only = ON")


def _prepare_any(dbapi_connection: Any) -> None:
    dbapi_connection.isolation_level = None  # or pysqlite would decide where transactions begin
    dbapi_connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _switch_to_wal(dbapi_connection: Any) -> None:
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
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
