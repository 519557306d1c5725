"""Where the commands write: results to standard output, progress and problems to standard error."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gameplay.config import Settings
from gameplay.core import Core, open_core

Step = TypeVar("Step")

PIPE_COLUMNS = 150

# Into a pipe or a file a table keeps its width; rich would squeeze it into 80 columns.
output = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
messages = Console(stderr=True)

EXIT_FINDING = 1
"""The command did its work, and what it found is not as it should be."""


def track(steps: Iterable[Step], description: str, total: int) -> Iterator[Step]:
    """Pass the steps on while a progress bar shows how far they are."""
    with progress_bars() as bars:
        yield from bars.track(steps, total=total, description=description)


def progress_bars() -> Progress:
    """Bars on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=messages)


@contextmanager
def opened(settings: Settings) -> Iterator[Core]:
    """Everything that lasts, with the projections at the head."""
    core = open_core(settings)
    try:
        core.read_models.projector.start()
        yield core
    finally:
        core.close()


def share(value: float | None) -> str:
    """A share as a percentage, to be read by people."""
    return "" if value is None else f"{100 * value:.1f} %"
