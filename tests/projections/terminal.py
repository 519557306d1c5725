"""The commands as a person and a program meet them: in this process, and on a terminal of their own."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from projections.cli import rps_audit


class Answer(NamedTuple):
    status: int
    output: str
    problem: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


def ask(database: Path | str, *arguments: str) -> Answer:
    """What a command says, and its exit status; a problem is what it says on standard error, without its name."""
    url = database if isinstance(database, str) else f"sqlite:///{database}"
    result = CliRunner().invoke(rps_audit, ["--database", url, *arguments], prog_name="rps-audit")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    said = result.stderr
    assert not said.startswith("Traceback"), said
    if said.startswith("rps-audit: "):
        said = said.removeprefix("rps-audit: ").removesuffix("\n")
    return Answer(result.exit_code, result.stdout, said)


def on_terminal(columns: int, *arguments: str) -> str:
    """What a command writes to a terminal of that width, without its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    program = str(Path(sys.executable).with_name("rps-audit"))
    written = bytearray()
    with subprocess.Popen([program, *arguments], stdin=theirs, stdout=theirs, env=environment) as running:
        os.close(theirs)
        # A terminal whose other side has gone is an error to read from, once everything was read.
        with contextlib.suppress(OSError):
            while some := os.read(ours, 65_536):
                written += some
    os.close(ours)
    assert running.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode())
