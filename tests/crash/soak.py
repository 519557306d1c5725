"""`make soak`: ten minutes of play with restarts; memory, handles, threads and the write-ahead log stay flat.

Each life ends by a SIGTERM or by kill -9, in turn. What the last life needs is compared with the first at the same
age, and the end of each life with its middle; exits 1 where something grew.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.crash.lives import Lives
from tests.lifecycle.trained import write_trained

LIFE_SECONDS = 60.0
SAMPLED_EVERY_SECONDS = 5.0
STOP_SECONDS_MAX = 30.0
WAL_MIB_MAX = 64.0
MEMORY_FACTOR_MAX = 1.25
MEMORY_FACTOR_MAX_WITHIN = 1.1
"""From the middle of a life to its end, under the same load."""
HANDLES_MORE_MAX = 16
THREADS_MORE_MAX = 4


class Sample(NamedTuple):
    """What a process holds: resident memory in MiB, open handles, threads; the write-ahead log in MiB."""

    memory_mib: float
    handles: int
    threads: int
    wal_mib: float


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long in all.")
def soak(minutes: float) -> None:
    """Play for a while, with restarts, and compare what the first life held with what the last one does.

    Example: python -m tests.crash.soak --minutes 3
    """
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        console.print("a set-up with small models ...")
        lives = Lives(shutil.copytree(write_trained(Path(folder) / "trained"), Path(folder) / "data"))
        count = max(2, round(minutes * 60 / LIFE_SECONDS))
        with Progress(console=console) as progress:
            bar = progress.add_task("lives", total=count)
            held: list[list[Sample]] = []
            for number in range(count):
                held.append(list(live(lives, is_killed=number % 2 == 1)))
                lives.check_log()
                progress.advance(bar)
        lives.check_service()
        console.print(shown(held))
        console.print(
            f"{len(lives.rounds):,} rounds were acknowledged; none was lost or doubled, no counter fell."
        )
        if problems := list(grown(held)):
            console.print(f"[red]{'; '.join(problems)}")
            sys.exit(1)


def live(lives: Lives, *, is_killed: bool) -> Iterator[Sample]:
    """One life under load; what the process holds, every few seconds."""
    with lives.served() as process, lives.played(process):
        for _ in range(round(LIFE_SECONDS / SAMPLED_EVERY_SECONDS)):
            time.sleep(SAMPLED_EVERY_SECONDS)
            yield sample(process, lives.settings.data_dir)
        process.send_signal(signal.SIGKILL if is_killed else signal.SIGTERM)
        process.wait(STOP_SECONDS_MAX)


def sample(process: "subprocess.Popen[bytes]", folder: Path) -> Sample:
    """What a process holds now."""
    proc = Path("/proc") / str(process.pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    wal = folder / "ledger.db-wal"
    return Sample(
        memory_mib=int(status["VmRSS"].split()[0]) / 1024,
        handles=len(list((proc / "fd").iterdir())),
        threads=int(status["Threads"]),
        wal_mib=wal.stat().st_size / 2**20 if wal.exists() else 0.0,
    )


def grown(held: list[list[Sample]]) -> Iterator[str]:
    """What the last life holds more of than the first did, at the same age."""
    first, last = held[0][-1], held[-1][-1]
    if last.memory_mib > first.memory_mib * MEMORY_FACTOR_MAX:
        yield f"memory grew from {first.memory_mib:.0f} to {last.memory_mib:.0f} MiB"
    if last.handles > first.handles + HANDLES_MORE_MAX:
        yield f"handles grew from {first.handles} to {last.handles}"
    if last.threads > first.threads + THREADS_MORE_MAX:
        yield f"threads grew from {first.threads} to {last.threads}"
    if (wal := max(one.wal_mib for life in held for one in life)) > WAL_MIB_MAX:
        yield f"the write-ahead log reached {wal:.0f} MiB"
    for number, life in enumerate(held, start=1):
        middle, end = life[len(life) // 2].memory_mib, life[-1].memory_mib
        if end > middle * MEMORY_FACTOR_MAX_WITHIN:
            yield f"memory grew from {middle:.0f} to {end:.0f} MiB in the second half of life {number}"
        steps = [after.handles - before.handles for before, after in pairwise(life)]
        if len(steps) > 2 and all(step > 0 for step in steps):
            yield "handles rose at every sample of a life"


def shown(held: list[list[Sample]]) -> Table:
    """The last sample of each life."""
    table = Table("life", "memory, MiB", "half-way", "handles", "threads", "WAL, MiB")
    for number, life in enumerate(held, start=1):
        middle, last = life[len(life) // 2], life[-1]
        memory = f"{last.memory_mib:.0f}", f"{middle.memory_mib:.0f}"
        table.add_row(str(number), *memory, str(last.handles), str(last.threads), f"{last.wal_mib:.1f}")
    return table


if __name__ == "__main__":
    soak()
