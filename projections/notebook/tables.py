"""A table of the ledger: a sequence of typed rows, which is also a stream of Arrow batches.

pandas and polars take the rows as they take any list of named tuples. What speaks Arrow takes the columns instead,
without a Python object for each cell.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import IO, Any, Generic, TypeVar, overload

import msgspec

from projections.notebook.arrow import reader_of_rows, write_batches

Row = TypeVar("Row", bound=tuple[Any, ...])


class Table(Sequence[Row], Generic[Row]):
    """The rows, read when they are asked for; a loop over them holds one page in memory, an index all of them."""

    def __init__(
        self, row_type: type[Row], rows: Callable[[], Iterator[Row]], reader: Callable[[], Any] | None = None
    ) -> None:
        """`reader` makes a pyarrow.RecordBatchReader of the columns."""
        self.row_type = row_type
        self._rows = rows
        self._reader = reader

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(getattr(self.row_type, "_fields"))  # noqa: B009 - a named tuple's, which no type says

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all) if "_all" in self.__dict__ else self._rows()

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._all[index]

    def __repr__(self) -> str:
        return f"<table of {self.row_type.__name__}: {', '.join(self.columns)}>"

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The columns by Arrow's PyCapsule interface. Needs pyarrow."""
        return self.arrow().__arrow_c_stream__(requested_schema)

    def arrow(self) -> Any:
        """A pyarrow.RecordBatchReader of the columns. Needs pyarrow."""
        return self._reader() if self._reader else reader_of_rows(self.row_type, self)

    @cached_property
    def _all(self) -> list[Row]:
        return list(self._rows())


def write_csv(table: Table[Any], file: IO[str]) -> None:
    """With a line of names; times as ISO 8601, and nothing for what is absent."""
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(table.columns)
    lines.writerows([_text(value) for value in row] for row in table)


def write_lines(table: Table[Any], file: IO[bytes]) -> None:
    """As JSON Lines: an object a row, absent values as null."""
    encode = msgspec.json.Encoder().encode
    for row in table:
        file.write(encode(row._asdict()) + b"\n")


def write_parquet(table: Table[Any], file: IO[bytes]) -> None:
    """As Parquet. Needs pyarrow."""
    write_batches(table.arrow(), file)


def _text(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
