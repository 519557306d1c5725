"""Standard error and output as lines of JSON, whatever writes to them.

Libraries print, and those in C write to the descriptor itself. So a pipe takes the descriptor's place, and a
thread passes its lines on. The log does not go that way: its handler has the true stream, and a crash loses none.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

from gameplay.observability.log_lines import JsonLines

LINE_BYTES_MAX = 65_536
ENDING_SECONDS_MAX = 2.0
_DESCRIPTORS: dict[str, int] = {"stdout": 1, "stderr": 2}
_END = b"\0end\n"


@contextmanager
def as_json(name: Literal["stdout", "stderr"], lines: JsonLines) -> Iterator[TextIO]:
    """Have everything that is written to the stream come out as JSON; yields the true stream."""
    descriptor = _DESCRIPTORS[name]
    true = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    source = os.fdopen(reading, "rb")
    passing = threading.Thread(target=_pass, args=(source, true, name, lines), name=f"json-{name}", daemon=True)
    passing.start()
    try:
        yield true
    finally:
        getattr(sys, name).flush()
        os.dup2(true.fileno(), descriptor)
        # A pipe ends when its last writer closes it, and a child process may hold it for longer than this one.
        os.write(writing, b"\n" + _END)
        os.close(writing)
        passing.join(ENDING_SECONDS_MAX)


def _pass(source: io.BufferedReader, true: TextIO, name: str, lines: JsonLines) -> None:
    with source:
        while (line := source.readline(LINE_BYTES_MAX)) and line != _END:
            if text := line.decode("utf-8", "backslashreplace").strip():
                true.write(lines.foreign(name, text, time.time()) + "\n")
