"""The columns of a table that there is room for: a row that is broken into many lines cannot be read."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from projections.commands.console import PIPE_COLUMNS, print_table, show

Row = Sequence[Any]


def print_fitting(title: str, headings: Sequence[str], rows: Sequence[Row], *spare: tuple[str, ...]) -> None:
    """A table that leaves out its `spare` columns, one group of headings after the other, until its lines fit."""
    for group in spare:
        if _width(headings, rows) <= _room():
            break
        kept = [index for index, heading in enumerate(headings) if heading not in group]
        headings, rows = [headings[index] for index in kept], [[row[index] for index in kept] for row in rows]
    print_table(title, headings, rows)


def _room() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_COLUMNS


def _width(headings: Row, rows: Sequence[Row]) -> int:
    """As `print_table` sets it: a space before the first column, and two behind each."""
    columns = zip(headings, *rows, strict=True)
    return 1 + sum(2 + max(Text.from_markup(show(cell)).cell_len for cell in column) for column in columns)
