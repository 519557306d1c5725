"""A process that is measured: what it has used so far, as the kernel has it."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Served(NamedTuple):
    """A process that serves, and where."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """What it has used, for itself and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def memory_bytes(self) -> int:
        """What it holds of memory for itself: pages of files that are mapped or cached are the kernel's."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (kilobytes,) = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
        return int(kilobytes) << 10


class Ran(NamedTuple):
    """A process that has ended: what it wrote, the CPU that it used, and how long it took."""

    output: str
    cpu_seconds: float
    seconds: float


def ran(*command: str | Path) -> Ran:
    """Run a command to its end; one that fails is an error."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(done.stdout, cpu_seconds, seconds)


def ran_module(module: str, *arguments: str | Path) -> Ran:
    """Run a module of this folder, as `ran`."""
    return ran(*module_command(module, *arguments))


def module_command(module: str, *arguments: str | Path) -> Sequence[str | Path]:
    """How a module is run by this interpreter."""
    return (sys.executable, "-m", module, *arguments)
