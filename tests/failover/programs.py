"""Programs of the cluster: each in a session of its own, so that it can be killed with all that it has started."""

import os
import random
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.children import Child, EndedError

HOST = "127.0.0.1"
PATIENCE_SECONDS = 60.0
USER = "postgres"
INSTALL = (
    "apt-get install --no-install-recommends patroni etcd-server python3-etcd python3-psycopg2 postgresql haproxy"
)


class NotStartedError(Exception):
    """A part of the cluster did not come up, or has ended by itself."""


class Program:
    """A program with its log; as another user where this one may not run it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.endings: list[str] = []
        """Each time that it had ended when it was to be killed: how."""
        self._command = [*_as(user), *map(str, command)]
        self._environment = {**os.environ, **(environment or {})}
        self._process: Child | None = None

    def start(self) -> None:
        """Start it, again after it was killed."""
        with self.log.open("ab") as output:
            self._process = Child(
                self._command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def check(self) -> None:
        """Note and raise NotStartedError where it has ended by itself."""
        try:
            if self._process is not None:
                self._process.check(self.name)
        except EndedError as error:
            self.endings.append(str(error))
            raise NotStartedError(f"{error}; its log is {self.log}") from error

    def kill(self) -> None:
        """Kill -9 of the program and of what it has started in its own session."""
        if self._process is not None:
            with suppress(NotStartedError):
                self.check()
            with_children(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def free_ports() -> Iterator[int]:
    """Ports that the system gives to no connection, so that a program that was killed finds its own free again."""
    for port in random.sample(range(20_000, 32_000), 12_000):
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def with_children(pid: int, signal_: signal.Signals) -> None:
    """Send a signal to a whole session of processes."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal_)


def wait_for(what: str, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so; what does not answer is not so yet. Raises NotStartedError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, urllib.error.URLError, ValueError):
            pass  # it does not listen yet
        time.sleep(0.1)
    raise NotStartedError(f"{what}: not within {seconds:g} s")


def get(url: str, seconds: float = 5.0) -> bytes:
    """The body of a 200. Raises OSError."""
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return bytes(answer.read())


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in ("etcd", "patroni", "haproxy") if shutil.which(name) is None]


def _as(user: str | None) -> list[str]:
    if user is None or os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
