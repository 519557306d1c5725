"""Files as the ledger writes them: whole or not at all, and for their owner alone."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def problem_of(error: OSError) -> str:
    """What the system says of a failed operation; a full disk by that name, for it is the one to act on."""
    said = error.strerror or str(error)
    return f"disk full ({said})" if error.errno in _FULL else said


def name_full(problem: str) -> str:
    """As `problem_of`, of what a library says of such an error in its own words."""
    numbers = (f"(os error {number})" for number in _FULL)
    return f"disk full: {problem}" if any(number in problem for number in numbers) else problem


def sqlite_url(path: Path) -> str:
    """The URL of a database in a file: what follows a `?` is for the driver there, and a `%` begins a byte."""
    escaped = str(path).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{escaped}"


def make_folder(path: Path) -> None:
    """Make a folder that its owner alone can enter, and those above it; one that exists stays as it is.

    Raises OSError.
    """
    with suppress(FileNotFoundError, FileExistsError):
        path.mkdir(mode=PRIVATE_FOLDER)
        return
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


@contextmanager
def new_file(path: Path, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """A file that appears at `path`, durable, once the block is done; nothing stays of it when the block fails.

    Raises FileExistsError when a file has come to be there, unless it may be replaced; and OSError.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as temporary:
        try:
            yield temporary
            temporary.flush()
            os.fsync(temporary.fileno())
            if replace:
                os.replace(temporary.name, path)
            else:
                os.link(temporary.name, path)  # unlike a rename it fails where a file is
            keep_names(path.parent)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary.name)


def keep_names(folder: Path) -> None:
    """Have the names in a folder outlast a loss of power, as the files' bytes do. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make_private(path: Path) -> None:
    """Take a file of ours out of reach of others, in case an earlier release has made it. Raises OSError."""
    with suppress(FileNotFoundError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(PRIVATE_FILE)
