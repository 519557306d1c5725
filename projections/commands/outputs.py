"""Files that commands write: never in another one's place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ledger.errors import LedgerError


class OutputError(LedgerError):
    """A file that cannot be written, or that is there already."""


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which must not exist; there is none either when the block fails. Raises OutputError.

    A name that is mistyped may be that of the ledger, or of its only backup.
    """
    whole = False
    try:
        with path.open("xb") as file:
            try:
                yield file
                whole = True
            finally:
                if not whole:
                    path.unlink()
    except FileExistsError as error:
        raise OutputError(f"{path} exists already: name a new file") from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
