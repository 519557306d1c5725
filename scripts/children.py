"""Programs that end with the process which started them, however that one ends."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from select import select
from typing import IO, Any, NamedTuple

POLL_SECONDS = 0.05
WAIT_SECONDS_MAX = 10.0
"""How long the watcher waits for a program that it has sent a signal."""


class EndedError(Exception):
    """A program has ended, and nothing here has asked it to."""


class Child(subprocess.Popen[bytes]):
    """A program that is killed when this process ends; with its whole process group, where it leads one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._sent: set[int] = set()
        super().__init__(*arguments, **options)
        end_with_us(self.pid)

    def send_signal(self, sig: int) -> None:
        """As Popen does it, which ends by its signals what `check` calls no surprise."""
        if self.poll() is None:
            self._sent.add(sig)
        super().send_signal(sig)

    def check(self, what: str, *expected: int) -> None:
        """Raise EndedError where it has ended by no signal from here, and with no status that is expected.

        A program that was asked to stop may do so with status 0.
        """
        status = self.poll()
        stops = {0} if self._sent & {signal.SIGTERM, signal.SIGINT} else set()
        if status is None or status in {*expected, *stops} or -status in self._sent:
            return
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        raise EndedError(f"{what} has ended {how}, and nothing here has asked it to")

    def wait_until(self, what: str, condition: Callable[[], object], seconds_max: float) -> None:
        """Wait until something is so of this program. Raises EndedError once it has ended, and TimeoutError."""
        deadline = time.monotonic() + seconds_max
        while not condition():
            self.check(what)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} is not ready within {seconds_max:g} s; its process runs")
            time.sleep(POLL_SECONDS)


class Watched(NamedTuple):
    """A process, the signal that ends it, and the folder that it leaves behind."""

    pid: int
    signal: int
    folder: str | None


def end_with_us(pid: int, signal_: signal.Signals = signal.SIGKILL, folder: Path | None = None) -> None:
    """Have a process ended when this one ends, and its folder removed. One that has ended by itself is forgotten.

    A test run that is killed executes no line more. The kernel's own parent-death signal does not do instead: it
    comes when the thread ends that started a program, and never to one that has changed its user or left its
    parent, as PostgreSQL does.
    """
    watched = Watched(pid, signal_, None if folder is None else str(folder))
    pipe = _watcher()
    pipe.write(json.dumps(watched).encode() + b"\n")
    pipe.flush()


@cache
def _watcher() -> IO[bytes]:
    """The pipe to the one watcher of this process, which ends at the end of the pipe."""
    # In a session of its own: what is sent to the whole group of this process must not reach it.
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    process.returncode = 0  # it outlives this process: nothing is to wait for it or to warn of it
    atexit.register(process.stdin.close)
    return process.stdin


def watch(pipe: IO[bytes]) -> None:
    """Take in processes until the pipe ends, then end those that still run."""
    running: dict[int, Watched] = {}  # by their pidfd, since a number alone may be another process's by then
    is_open = True
    while is_open:
        ready: list[int] = select([pipe.fileno(), *running], [], [])[0]
        for pidfd in ready:
            if pidfd != pipe.fileno():
                del running[pidfd]
                os.close(pidfd)
            elif line := pipe.readline():
                one = Watched(*json.loads(line))
                with suppress(ProcessLookupError):
                    running[os.pidfd_open(one.pid)] = one
            else:
                is_open = False
    for one in running.values():
        _send(one.pid, one.signal)
    _wait(running)
    for one in running.values():
        if one.folder is not None:
            shutil.rmtree(one.folder, ignore_errors=True)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if os.getpgid(pid) == pid else os.kill)(pid, number)


def _wait(pidfds: Iterable[int]) -> None:
    waiting = set(pidfds)
    while waiting and (ended := select(waiting, [], [], WAIT_SECONDS_MAX)[0]):
        waiting.difference_update(ended)


if __name__ == "__main__":
    # Unbuffered: a line that lies in a buffer would not show in `select`.
    with os.fdopen(sys.stdin.fileno(), "rb", buffering=0) as given:
        watch(given)
