"""The ledger that the commands look at, opened for reading unless a command says otherwise."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, make_url

from ledger.engines import open_engine, open_reader, transaction
from ledger.errors import SchemaError, StorageError
from ledger.schema import REVISION
from ledger.seal import Verifier, public_path, read_verifier
from ledger.store import Ledger

DEFAULT_DATABASE = "sqlite:///data/ledger.db"
KEY_NAME = "seal.key"


@dataclass(frozen=True)
class Source:
    """A database, by its URL."""

    url: str

    def reader(self) -> Ledger:
        """The ledger, through a connection that cannot write. Raises StorageError, SchemaError."""
        return _checked(open_reader(self.url))

    def writer(self) -> Ledger:
        """The ledger, which must exist. Raises StorageError, SchemaError."""
        # Looked at first: to open a file for writing puts it into another journal mode, be it a ledger or not.
        self.reader().engine.dispose()
        return Ledger(open_engine(self.url, must_exist=True))

    def new_file(self) -> Ledger:
        """A ledger without tables, in a file that need not exist. Raises StorageError."""
        return Ledger(open_engine(self.url))

    def verifiers(self, keys: tuple[Path, ...]) -> list[Verifier]:
        """The public keys to trust: those named, or the one beside the database. Raises KeyFileError."""
        if not keys:
            beside = public_path(self.folder() / KEY_NAME)
            keys = (beside,) if beside.is_file() else ()
        return [read_verifier(path) for path in keys]

    def folder(self) -> Path:
        """Where the database file is."""
        return Path(make_url(self.url).database or "").parent


def has_tables(engine: Engine) -> bool:
    """Whether there is anything in the database. Raises StorageError."""
    with transaction(engine) as connection:
        return connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").scalar() is not None


def _checked(engine: Engine) -> Ledger:
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1 FROM events LIMIT 1")
            revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except StorageError as error:
        raise StorageError(f"{engine.url.database} is no ledger: {error}") from error
    if revision != REVISION:
        raise SchemaError(revision, REVISION)
    return Ledger(engine)
