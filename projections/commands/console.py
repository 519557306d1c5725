"""Where the commands write: results to standard output, progress and problems to standard error."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.json import JSON
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ledger.vocabulary import FAMILIES

PIPE_COLUMNS = 140
EXIT_FINDING = 1
"""The command did its work, and what it found is not as it should be."""
BAR_FROM_EVENTS = 20_000

Command = TypeVar("Command", bound=Callable[..., Any])

messages = Console(stderr=True)


def json_option(command: Command) -> Command:
    """`--json`, for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def model_option(command: Command) -> Command:
    """`--model`, for one family."""
    return click.option("--model", type=click.Choice(FAMILIES), default=None, help="One family only.")(command)


def _output() -> Console:
    # Into a pipe or a file a table keeps its width; rich would squeeze it into 80 columns.
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)


def say(*words: str) -> None:
    """A line of text, however long: what reads it may break it."""
    _output().print(*map(show, words), sep="", soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON; bytes as hexadecimal digits."""
    click.echo(msgspec.json.encode(value, enc_hook=_encode).decode())


def print_payload(payload: bytes) -> None:
    """JSON as it is stored, indented."""
    _output().print(JSON(payload.decode()))


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; numbers stand to the right, and an absent value is a dash."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, heading in enumerate(headings):
        numbers = all(isinstance(row[index], int | float) or row[index] is None for row in rows)
        table.add_column(heading, justify="right" if numbers and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(show, row))
    say(title)
    _output().print(table)


def show(value: Any) -> str:
    """A value as a cell shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value) if isinstance(value, Styled) else escape(str(value))


class Styled(str):
    """Text with rich's markup in it."""

    __slots__ = ()


def good(text: str) -> Styled:
    """Text that says that all is well."""
    return Styled(f"[green]{escape(text)}[/green]")


def bad(text: str) -> Styled:
    """Text that says what is not."""
    return Styled(f"[red]{escape(text)}[/red]")


@contextmanager
def progress(description: str, events: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where somebody looks at it and it takes long enough; yields what moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = messages.is_terminal and events >= BAR_FROM_EVENTS
    with Progress(*columns, console=messages, transient=True, disable=not shown) as bar:
        task = bar.add_task(description, total=events)
        yield lambda done: bar.advance(task, done)


def finding() -> None:
    """End the command with the status that says so."""
    click.get_current_context().exit(EXIT_FINDING)


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise NotImplementedError(f"no JSON for {type(value).__name__}")
