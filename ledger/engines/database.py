"""A database by its URL: opened for writing or for reading alone, and one transaction on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.engines import sqlite
from ledger.engines.sqlite import DRIVER_ERRORS, WRITE
from ledger.errors import StorageError


class Database(Protocol):
    """What a transaction asks of the database behind an engine."""

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


def open_engine(url: str, *, must_exist: bool = False) -> Engine:
    """An engine for `sqlite:///FILE`; its folder is made, and the file unless it must exist.

    The caller disposes of it. Raises StorageError on any other URL, when the folder cannot be made, or when the
    file must exist and does not.
    """
    return sqlite.open_engine(_parsed(url), must_exist=must_exist)


def open_reader(url: str, *, traceless: bool = False) -> Engine:
    """An engine for `sqlite:///FILE` through which nothing can be written, whatever is tried.

    `traceless`: no file is made beside the database either; for a caller that is done in seconds, because it must
    begin again when another process opens the database meanwhile and writes. The caller disposes of the engine.
    Raises StorageError on any other URL, NoLedgerError when the file does not exist.
    """
    return sqlite.open_reader(_parsed(url), traceless=traceless)


@contextmanager
def disposing(engine: Engine) -> Iterator[Engine]:
    """The engine for a block, at whose end its connections are closed."""
    try:
        yield engine
    finally:
        engine.dispose()


def writing(connection: Connection) -> Connection:
    """The same connection, whose next transaction takes the write lock at once.

    A transaction that reads first and writes later fails with "database is locked" when another one wrote in
    between, and no busy timeout helps. Reads must not take the lock: it would stall the writer by seconds.
    """
    return connection.execution_options(**{WRITE: True})


@contextmanager
def transaction(engine: Engine, *, write: bool = False) -> Iterator[Connection]:
    """One transaction on a connection of its own.

    Raises StorageError when the database refuses: DamagedError when its file cannot be read, DiskFullError, and
    ReplacedError when it is not the one that was opened (then what was written here is not to be relied on).
    """
    database = database_of(engine)
    try:
        with engine.connect() as connection:
            with (writing(connection) if write else connection).begin():
                if write:
                    database.check(connection)
                yield connection
            if write:
                # What is committed to a file that has no name any more is gone with the process.
                database.check(connection)
            else:
                database.check_read()
    except PoolTimeout as error:
        raise StorageError("every connection to the database is taken: try again in a moment") from error
    except DRIVER_ERRORS as error:
        raise database.refusal(error) from error


def database_of(engine: Engine) -> Database:
    """The database behind an engine that was opened here."""
    return cast(Database, engine.get_execution_options()[sqlite.DATABASE])


def _parsed(url: str) -> URL:
    parsed = sqlite.parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise StorageError(f"{parsed.render_as_string()} is not supported: write sqlite:///FILE")
    return parsed
