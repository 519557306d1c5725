"""`make mutants`: change the ledger and the projections in hundreds of small ways; the tests must notice.

Prints how many mutants were killed, with the interval, and every survivor with its reason out of `reasons.toml`.
Exits 1 when a survivor has none, too few are killed, or the time was up before all were tried.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress

from tests.mutants.choosing import choose
from tests.mutants.drawing import draw
from tests.mutants.judging import judge, read_reasons
from tests.mutants.recording import Recording, merged
from tests.mutants.trials import Job, Result

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".hypothesis", ".*_cache", "__pycache__", "data", "mlruns")


@click.command()
@click.option("--mutants", "count", default=400, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
@click.option("--workers", default=2, show_default=True, help="Processes, each with a copy of the checkout.")
@click.option("--minutes", default=60.0, show_default=True, help="To try mutants in; then the run fails.")
def main(count: int, seed: int, workers: int, minutes: float) -> None:
    """Draw mutants, try the tests of ledger and projections on each, and ask for a reason for every survivor.

    Example: python -m tests.mutants --mutants 60 --seed 7
    """
    console = Console()
    with tempfile.TemporaryDirectory(prefix="rps-mutants-") as folder:
        copies = [shutil.copytree(ROOT, Path(folder) / str(one), ignore=NOT_COPIED) for one in range(workers)]
        console.print("recording which test runs which line ...")
        shares = [[str(one), str(workers), "recording.json"] for one in range(workers)]
        recording = merged(msgspec.json.decode(one, type=Recording) for one in run(copies, "recording", shares))
        for test in recording.failed:
            console.print(f"[yellow]asked about nothing, since it fails or is skipped as it is: {escape(test)}")
        jobs = [choose(mutant, recording) for mutant in draw(ROOT, count, seed)]
        random.Random(seed).shuffle(jobs)  # what is tried before the time is up stands for all of them
        console.print(f"trying {len(recording.seconds):,} tests on {len(jobs)} mutants ...")
        arguments = [
            [write_jobs(jobs[one::workers], copies[one]), "trials.json", str(minutes)] for one in range(workers)
        ]
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
            bar = progress.add_task("mutants", total=len(jobs))
            answers = run(copies, "trials", arguments, lambda done: progress.update(bar, completed=done))
        results = list(chain.from_iterable(map(msgspec.json.Decoder(Result).decode_lines, answers)))
        verdict = judge(results, read_reasons(), not_tried=len(jobs) - len(results))
    for line in verdict.lines:
        console.print(line, soft_wrap=True)
    sys.exit(not verdict.passed)


def write_jobs(jobs: Sequence[Job], folder: Path) -> str:
    """A file of a worker's jobs."""
    path = folder / "jobs.json"
    path.write_bytes(msgspec.json.encode(jobs))
    return str(path)


def run(
    copies: Sequence[Path],
    module: str,
    arguments: Sequence[Sequence[str]],
    progress: Callable[[int], None] = lambda _done: None,
) -> list[bytes]:
    """Run a module of this package in every copy at once; what each has written, whose lines `progress` gets."""
    paths = [copy / f"{module}.json" for copy in copies]
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", f"tests.mutants.{module}", *own],
                    cwd=copy,
                    env={**os.environ, "PYTHONPATH": str(copy)},
                    stdout=(copy / f"{module}.log").open("wb"),
                )
            )
            for copy, own in zip(copies, arguments, strict=True)
        ]
        for process, copy in zip(processes, copies, strict=True):
            while is_running(process):
                progress(sum(path.read_bytes().count(b"\n") for path in paths if path.exists()))
            if process.returncode:
                raise click.ClickException((copy / f"{module}.log").read_text()[-4_000:])
    return [path.read_bytes() for path in paths]


def is_running(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a process still runs after a second."""
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return True
    return False


if __name__ == "__main__":
    main()
