"""An online copy of a database, consistent at one moment, verified after it is written."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from ledger.engines.database import database_of
from ledger.errors import LedgerError
from ledger.files import keep_names, problem_of
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.walk import VerificationReport


class BackupError(LedgerError):
    """The copy could not be made, or is not what was copied."""


def back_up(engine: Engine, target: Path, progress: Callable[[int], None] | None = None) -> VerificationReport:
    """Copy the database to `target`, which must not exist, and verify the copy; returns what that found.

    A file is copied as it is; of a server's database it is a dump by `pg_dump`, which is restored to verify it, so
    that the role needs the right to make a database.

    To verify takes ten times as long as to copy: `progress` hears the number of entries verified since its last
    call. Raises BackupError, StorageError; then there is no file at `target`.
    """
    if os.path.lexists(target):  # a name that is too long exists nowhere, and is refused below
        raise BackupError(f"{target} exists already: a backup never replaces a file")
    partial = target.with_name(f".{target.name}.partial")
    try:
        _copy(engine, partial)
        report = _verified(engine, partial, progress)
        os.link(partial, target)  # unlike a rename it fails where a file has come to be since
        keep_names(target.parent)
    except OSError as error:
        raise BackupError(f"cannot write {target}: {problem_of(error)}") from error
    finally:
        for leftover in (
            partial,
            *(partial.with_name(f"{partial.name}{end}") for end in ("-wal", "-shm", "-journal")),
        ):
            with suppress(OSError):  # what could not be made is not there, and the error that says so goes on
                leftover.unlink()
    return report


def _copy(engine: Engine, partial: Path) -> None:
    partial.touch(mode=0o600)
    database = database_of(engine)
    try:
        database.copy(engine, partial)
    except database.driver_errors as error:
        raise database.refusal(error) from error
    with partial.open("rb") as written:
        os.fsync(written.fileno())


def _verified(engine: Engine, partial: Path, progress: Callable[[int], None] | None) -> VerificationReport:
    with database_of(engine).opened_copy(engine, partial) as copied:
        return audit(Ledger(copied), progress=progress)
