"""Two locks of a data folder: one process at a time sets it up, and one service at a time serves its ledger.

Both are `flock`s, which end with the process that holds them, however it ends.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gameplay.serving.errors import FolderInUse
from ledger.files import PRIVATE_FILE, make_folder

STARTING = "start.lock"
SERVING = "serve.lock"


@contextmanager
def starting_alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder while it is set up; waits for another process that does so, and says which."""
    with _opened(folder / STARTING) as file:
        if not _locks(file, fcntl.LOCK_EX):
            say(f"waiting for {_holders(file)}, which is starting on {folder}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        _sign(file)
        yield


@contextmanager
def serving(folder: Path, *, shared: bool) -> Iterator[None]:
    """Be a service of the ledger in this folder; to be entered under `starting_alone`.

    Every service holds the lock shared, and to see that it is alone tries to hold it exclusively first: so a
    service that shares the ledger is also met by one that does not. Raises FolderInUse.
    """
    with _opened(folder / SERVING) as file:
        alone = _locks(file, fcntl.LOCK_EX)
        if not alone and not shared:
            raise FolderInUse(
                f"{_holders(file)} serves the ledger in {folder}: stop it, or set RPS_SHARED=1 to serve beside it"
            )
        if alone:
            file.truncate(0)
        fcntl.flock(file, fcntl.LOCK_SH)
        _sign(file)
        yield


def server_of(folder: Path) -> str | None:
    """Which process serves the ledger in a folder; None where none does. Makes nothing."""
    try:
        with (folder / SERVING).open("r", encoding="utf-8") as file:
            return None if _locks(file, fcntl.LOCK_EX) else _holders(file)
    except FileNotFoundError:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    make_folder(path.parent)
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "a+", encoding="utf-8") as file:
        yield file


def _locks(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: TextIO) -> None:
    """Leave the process's id, for people: the lock itself is the system's."""
    file.write(f"{os.getpid()}\n")
    file.flush()


def _holders(file: TextIO) -> str:
    """The process that signed last and is still there; it cannot be seen from another container."""
    file.seek(0)
    alive = [pid for pid in file.read().split() if Path("/proc", pid).exists() or not Path("/proc/self").exists()]
    return f"process {alive[-1]}" if alive else "another process"
