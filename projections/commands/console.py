"""Where the commands of both programs write: results to standard output, all else to standard error."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ledger.vocabulary import FAMILIES

PIPE_COLUMNS = 140
NUMBER_COLUMNS = 12
"""A date, a count of games, a position: what is longer is a name or a hash, which may be broken."""
EXIT_FINDING = 1
"""The command did its work, and what it found is not as it should be."""
BAR_FROM_EVENTS = 20_000

Command = TypeVar("Command", bound=Callable[..., Any])
Step = TypeVar("Step")

messages = Console(stderr=True)


def json_option(command: Command) -> Command:
    """`--json`, for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def model_type_option(command: Command) -> Command:
    """`--model-type`, for one family; its former names are taken, and not shown."""
    kind = click.Choice(FAMILIES)
    for former in ("--model", "--family"):
        command = click.option(former, "model_type", type=kind, hidden=True)(command)
    return click.option("--model-type", type=kind, default=None, help="One family only.")(command)


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the program: rich would end it with status 1, which is that of a finding."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def output() -> Console:
    """Standard output. In a pipe or a file a table keeps its width: rich would squeeze it into 80 columns."""
    return _Output(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)


def say(*words: str) -> None:
    """A line of text, however long: what reads it may break it."""
    output().print(*map(show, words), sep="", soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON; bytes as hexadecimal digits."""
    plain = _hexadecimal(msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True))
    # Not by the library's `json`, which writes a number that is none as NaN: no other reader takes that.
    click.echo(_encodable(msgspec.json.encode(plain).decode()))


def _hexadecimal(value: Any) -> Any:
    """With text for bytes, which msgspec would write as base64: a hash has one form in every command."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {key: _hexadecimal(one) for key, one in value.items()}
        case list() | tuple():
            return [_hexadecimal(one) for one in value]
        case _:
            return value


def printable(text: str) -> str:
    """The text in one line, whatever is in it: what does not print is escaped, or it could fake lines."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def json_value(payload: bytes) -> Any:
    """Stored JSON as a value, for `print_json`."""
    return msgspec.json.decode(payload)


def print_payload(payload: bytes) -> None:
    """JSON as it is stored, indented, each value on one line however long, so that it can be read as JSON again.

    What does not print is escaped: a payload holds text of callers, and a terminal obeys control characters.
    """
    lines = msgspec.json.format(payload, indent=2).decode().split("\n")
    shown = "\n".join(_escaped(line, str.isprintable) for line in lines)
    output().print(JSONHighlighter()(Text(_encodable(shown))), soft_wrap=True)


def _encodable(text: str) -> str:
    """JSON that the encoding of standard output can hold."""

    def passes(one: str) -> bool:
        return one.encode(encoding, "ignore") != b""

    encoding = sys.stdout.encoding or "utf-8"
    return text if text.isascii() else _escaped(text, passes)


def _escaped(text: str, passes: Callable[[str], bool]) -> str:
    """JSON with its own escapes for the characters that do not pass; they are within its strings."""
    return "".join(one if passes(one) else json.dumps(one)[1:-1] for one in text)


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; numbers stand to the right, and an absent value is a dash."""
    console = output()
    numbers = [bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(headings))]
    cells = [[show(cell) for cell in row] for row in rows]
    between = 2 * len(headings) + 1
    widths = _widths(list(zip(headings, *cells, strict=True)), numbers, console.width - between)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, number, width in zip(headings, numbers, widths, strict=True):
        table.add_column(heading, justify="right" if number else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*row)
    say(title)
    console.width = max(console.width, sum(widths) + between)  # the terminal breaks lines where nothing else helps
    console.print(table)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _widths(columns: Sequence[Sequence[str]], numbers: Sequence[bool], room: int) -> list[int]:
    natural = [max(map(_width, column)) for column in columns]
    least = [
        width if number else max(map(_unbroken, column[1:]), default=1)
        for column, width, number in zip(columns, natural, numbers, strict=True)
    ]
    return fitted(natural, least, room)


def fitted(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widths, taken from the widest columns as long as those have something to give, until they fit."""
    fitting = list(widths)
    while sum(fitting) > room:
        able = [index for index, width in enumerate(fitting) if width > least[index]]
        if not able:
            break
        fitting[max(able, key=fitting.__getitem__)] -= 1
    return fitting


def _width(markup: str) -> int:
    return Text.from_markup(markup).cell_len


def _unbroken(markup: str) -> int:
    """How wide a cell is at least: half a number would be read as another one, and half a path names nothing."""
    words = Text.from_markup(markup).plain.split()
    numbers = max((len(word) for word in words if any(map(str.isdigit, word))), default=1)
    paths = max((len(word) for word in words if word.startswith("/") or "://" in word), default=1)
    return max(min(NUMBER_COLUMNS, numbers), paths)


def show(value: Any) -> str:
    """A value as a cell shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Share):
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, Styled) else escape(printable(str(value)))


class Share(float):
    """A part of a whole, which people read as a percentage and programs as a number from 0 to 1."""

    __slots__ = ()


def share(value: float | None) -> Share | None:
    """A share, where there is one."""
    return None if value is None else Share(value)


class Styled(str):
    """Text with rich's markup in it."""

    __slots__ = ()


def good(text: str) -> Styled:
    """Text that says that all is well."""
    return Styled(f"[green]{escape(printable(text))}[/green]")


def warned(text: str) -> Styled:
    """Text that says what a person may want to look at."""
    return Styled(f"[yellow]{escape(printable(text))}[/yellow]")


def bad(text: str) -> Styled:
    """Text that says what is not."""
    return Styled(f"[red]{escape(printable(text))}[/red]")


@contextmanager
def progress(description: str, steps: int | None, events: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, on a terminal and where the work takes long enough; yields what moves it.

    Where the number of steps is not known, it only counts. `events` is what the work is over, if they are not the
    steps.
    """
    over = steps if events is None else events
    shown = messages.is_terminal and (over is None or over >= BAR_FROM_EVENTS)
    with _bars(transient=True, disable=not shown) as bar:
        task = bar.add_task(description, total=steps)
        yield lambda done: bar.advance(task, done)


def track(steps: Iterable[Step], description: str, total: int) -> Iterator[Step]:
    """Pass on steps that take long, each of them; without a terminal, only how far they came stays in the log."""
    with _bars() as bars:
        yield from bars.track(steps, total=total, description=description)


def _bars(**more: Any) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=messages, **more)


def remark(text: str) -> None:
    """A line about the output, on standard error: it must not stand between what is read by a program."""
    messages.print(escape(printable(text)), highlight=False, soft_wrap=True)


def finding() -> None:
    """End the command with the status that says so."""
    click.get_current_context().exit(EXIT_FINDING)
