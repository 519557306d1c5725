"""An online copy of a database, consistent at one moment, verified after it is written."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ledger.engines.database import disposing, open_reader, transaction
from ledger.errors import LedgerError
from ledger.files import problem_of
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.walk import VerificationReport

PAGES_A_STEP = 4_096


class BackupError(LedgerError):
    """The copy could not be made, or is not what was copied."""


def back_up(engine: Engine, target: Path, progress: Callable[[int], None] | None = None) -> VerificationReport:
    """Copy the database to `target`, which must not exist, and verify the copy; returns what that found.

    To verify takes ten times as long as to copy: `progress` hears the number of entries verified since its last
    call. Raises BackupError, StorageError; then there is no file at `target`.
    """
    if target.exists():
        raise BackupError(f"{target} exists already: a backup never replaces a file")
    partial = target.with_name(f".{target.name}.partial")
    try:
        _copy(engine, partial)
        report = _verified(partial, progress)
        os.link(partial, target)  # unlike a rename it fails where a file has come to be since
    except OSError as error:
        raise BackupError(f"cannot write {target}: {problem_of(error)}") from error
    finally:
        for leftover in (
            partial,
            *(partial.with_name(f"{partial.name}{end}") for end in ("-wal", "-shm", "-journal")),
        ):
            leftover.unlink(missing_ok=True)
    return report


def _copy(engine: Engine, partial: Path) -> None:
    partial.touch(mode=0o600)
    with transaction(engine) as connection, closing(sqlite3.connect(partial)) as copy:
        # In one transaction: without it every write of another process would start the copy again.
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
        source: Any = connection.connection.driver_connection
        source.backup(copy, pages=PAGES_A_STEP)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file is the whole backup
    with partial.open("rb") as written:
        os.fsync(written.fileno())


def _verified(partial: Path, progress: Callable[[int], None] | None) -> VerificationReport:
    with disposing(open_reader(f"sqlite:///{partial}")) as engine:
        return audit(Ledger(engine), progress=progress)
