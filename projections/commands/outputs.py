"""Files that commands write: never in another one's place, and whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ledger import files
from ledger.errors import LedgerError
from ledger.files import problem_of


class OutputError(LedgerError):
    """A file that cannot be written, or that is there already."""


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which must not exist; there is none either when the block fails. Raises OutputError.

    A name that is mistyped may be that of the ledger, or of its only backup.
    """
    exists = OutputError(f"{path} exists already: name a new file")
    if path.exists():
        raise exists
    try:
        with files.new_file(path) as file:
            yield file
    except FileExistsError as error:
        raise exists from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {problem_of(error)}") from error
