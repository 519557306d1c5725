"""An online copy of a database, consistent at one moment, verified after it is written."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from ledger.audit import Report
from ledger.engines import open_reader
from ledger.errors import LedgerError, StorageError
from ledger.schema import events
from ledger.seals import audit
from ledger.store import Ledger

PAGES_A_STEP = 4_096


class BackupError(LedgerError):
    """The copy could not be made, or is not what was copied."""


def back_up(engine: Engine, target: Path, progress: Callable[[int, int], None] | None = None) -> Report:
    """Copy the database to `target`, which must not exist, and verify the copy; returns what that found.

    `progress` hears (pages left, pages in all). Raises BackupError, StorageError; then there is no file at
    `target`.
    """
    if target.exists():
        raise BackupError(f"{target} exists already: a backup never replaces a file")
    partial = target.with_name(f".{target.name}.partial")
    try:
        _copy(engine, partial, progress)
        report = _verified(partial)
        os.link(partial, target)  # unlike a rename it fails where a file has come to be since
    except sqlite3.Error as error:
        raise StorageError(f"the copy failed: {error}") from error
    except OSError as error:
        raise BackupError(f"cannot write {target}: {error.strerror}") from error
    finally:
        for leftover in (partial, *(partial.with_name(f"{partial.name}{end}") for end in ("-wal", "-shm"))):
            leftover.unlink(missing_ok=True)
    return report


def _copy(engine: Engine, partial: Path, progress: Callable[[int, int], None] | None) -> None:
    def step(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(remaining, total)

    partial.touch(mode=0o600)
    with engine.connect() as connection, closing(sqlite3.connect(partial)) as copy:
        # In one transaction: without it every write by somebody else would start the copy anew.
        connection.execute(select(func.max(events.c.position)))
        source: Any = connection.connection.driver_connection
        source.backup(copy, pages=PAGES_A_STEP, progress=step)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file is the whole backup
    with partial.open("rb") as written:
        os.fsync(written.fileno())


def _verified(partial: Path) -> Report:
    engine = open_reader(f"sqlite:///{partial}")
    try:
        return audit(Ledger(engine))
    finally:
        engine.dispose()
