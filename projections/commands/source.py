"""The ledger that the commands look at, opened for reading unless a command says otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import Engine, select

from ledger.engines.database import disposing, file_of, has_tables, open_engine, open_reader, transaction
from ledger.engines.sqlite import beside
from ledger.errors import DamagedError, NoLedgerError, SchemaError, StorageError
from ledger.schema import events
from ledger.sealing.keys import Verifier, public_path, read_verifier
from ledger.store import Ledger
from ledger.upgrade import REVISION, upgrade
from ledger.verification.transfer import NotEmptyError

KEY_NAME = "seal.key"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Source:
    """A database, by its URL."""

    url: str

    def reader(self) -> Ledger:
        """The ledger, through a connection that cannot write. Raises NoLedgerError, StorageError, SchemaError."""
        path = file_of(self.url)
        if path is not None and not path.is_file():
            raise NoLedgerError(f"{path} (--database names another)")
        return _checked(_owned(open_reader(self.url)))

    def writer(self) -> Ledger:
        """The ledger, which must exist. Raises NoLedgerError, StorageError, SchemaError."""
        # Looked at first: to open a file for writing puts it into another journal mode, be it a ledger or not.
        self.reader().engine.dispose()
        return Ledger(_owned(open_engine(self.url, must_exist=True)))

    @contextmanager
    def empty(self) -> Iterator[Ledger]:
        """A ledger to fill: in a database that is a ledger, or has no tables, or a file that is not there yet.

        A file that is made for the block is gone again when the block fails. Raises NotEmptyError, StorageError,
        SchemaError.
        """
        path = file_of(self.url)
        found = path is None or path.exists()
        if found and self._has_tables() and (position := self.reader().head().position):
            raise NotEmptyError(position)
        ledger = Ledger(open_engine(self.url))
        whole = False
        try:
            upgrade(ledger.engine)
            yield ledger
            whole = True
        finally:
            if path is not None and not (found or whole):
                _take_back(ledger, path)
            ledger.engine.dispose()

    def _has_tables(self) -> bool:
        path = file_of(self.url)
        # To open a file for writing would change it.
        with disposing(open_engine(self.url) if path is None else open_reader(self.url)) as engine:
            return has_tables(engine)

    def verifiers(self, keys: tuple[Path, ...]) -> list[Verifier]:
        """The public keys to trust: those named, or the one beside the database's file. Raises KeyFileError."""
        if not keys and (path := file_of(self.url)) is not None:
            beside = public_path(path.with_name(KEY_NAME))
            keys = (beside,) if beside.is_file() else ()
        return [read_verifier(path) for path in keys]


def pass_source(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command its source as its first argument: the database whose URL the program was given."""

    @wraps(command)
    def with_source(*arguments: Any, **options: Any) -> Result:
        return command(Source(click.get_current_context().obj), *arguments, **options)

    return with_source


def length(ledger: Ledger) -> int | None:
    """How many events a bar is to reach; None where the file is too damaged for that: the command says so."""
    try:
        return ledger.head().position
    except DamagedError:
        return None


def _owned(engine: Engine) -> Engine:
    """The engine, whose connections are closed when the command has ended."""
    return click.get_current_context().with_resource(disposing(engine))


def _checked(engine: Engine) -> Ledger:
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1 FROM events LIMIT 1")
            revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DamagedError:
        raise  # it was one
    except StorageError as error:
        raise StorageError(f"{engine.url.database} is no ledger: {error}") from error
    if revision != REVISION:
        raise SchemaError(revision, REVISION)
    return Ledger(engine)


def _take_back(ledger: Ledger, path: Path) -> None:
    """Remove a file that was made for nothing, unless another process has filled it meanwhile."""
    try:
        with transaction(ledger.engine, write=[events]) as connection:
            # Nothing is appended while the lock is held, and afterwards a writer finds that its file is gone.
            if connection.scalar(select(events.c.position).limit(1)) is None:
                _unlink(path)
    except StorageError:  # it has no tables yet, so that nothing is lost with it
        _unlink(path)


def _unlink(path: Path) -> None:
    for one in (path, *beside(path)):
        one.unlink(missing_ok=True)
