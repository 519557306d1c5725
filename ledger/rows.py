"""The rows of the log as the bytes that are stored, for those who trust nothing: no invariant is assumed."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from sqlalchemy import Engine, Select, func, select

from ledger.chain import link, stored_leaf
from ledger.engines.database import database_of, pages, reading, transaction
from ledger.schema import events

PAGE_ROWS = 2_000


class Row(NamedTuple):
    """One row; text columns as their bytes, which need not be UTF-8."""

    position: int
    event_id: bytes
    stream: bytes
    version: int
    type: bytes
    schema_version: int
    recorded_us: int
    payload: bytes
    chain_hash: bytes

    def leaf(self, position: int | None = None) -> bytes:
        """The row's leaf, as if it stood at `position`. Raises TypeError or struct.error for impossible values."""
        return stored_leaf(self.position if position is None else position, *self[1:8])

    def hash_after(self, previous: bytes, position: int | None = None) -> bytes | None:
        """The chain hash that the row's columns give after `previous`; None when they can give none."""
        try:
            return link(previous, self.leaf(position))
        except (TypeError, struct.error):
            return None

    def follows(self, previous: bytes, position: int | None = None) -> bool:
        """Whether the row's chain hash is what its columns give after `previous`, at `position` if not its own."""
        return self.hash_after(previous, position) == (self.chain_hash or b"")

    def misfit(self) -> str | None:
        """The first column whose value is not of its type, as only a changed schema or a damage leaves it."""
        return misfit(self)


def misfit(columns: NamedTuple) -> str | None:
    """As `Row.misfit`, of any columns that have their types as annotations."""
    types = type(columns).__annotations__
    return next((name for name in types if type(getattr(columns, name)) is not types[name]), None)


RawRow = tuple[int, bytes, bytes, int, bytes, int, int, bytes, bytes]
"""The columns of a Row, without their names."""


assert Row._fields == tuple(column.name for column in events.columns), (
    "a row has the table's columns, in their order"
)


class Extent(NamedTuple):
    """How far the log goes, and how far it has ever gone as the database remembers it: None of an empty log."""

    last_position: int
    remembered_position: object


_ROWS = select(*events.columns).order_by(events.c.position)


class Rows:
    """Reads the rows of one database. Every method raises StorageError when the database cannot be read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def extent(self) -> Extent:
        """Where the log ends, in one look."""
        with transaction(self._engine) as connection:
            last = connection.scalar(select(func.max(events.c.position))) or 0
            return Extent(last, database_of(self._engine).remembered(connection))

    def pages(self, after: int | None = None, through: int | None = None) -> Iterator[list[RawRow]]:
        """All rows with `after` < position <= `through`, by position; positions below 1 too when `after` is None.

        As the driver's own tuples: naming their columns would be a fifth of a verification.
        """
        return cast(Iterator[list[RawRow]], pages(self._engine, after, through, limit=PAGE_ROWS, as_stored=True))

    def at(self, position: int) -> Row | None:
        """The row at a position."""
        found = self._read(_ROWS.where(events.c.position == position))
        return found[0] if found else None

    def next(self, position: int) -> Row | None:
        """The first row after a position."""
        found = self._read(_ROWS.where(events.c.position > position).limit(1))
        return found[0] if found else None

    def find(self, previous: bytes, position: int, *, besides: int | None = None) -> Row | None:
        """The row that belongs at `position` after `previous` by its own chain hash, wherever it stands now."""
        for page in self.pages():
            for row in map(Row._make, page):
                if row.position != besides and row.follows(previous, position):
                    return row
        return None

    def stream_version(self, stream: bytes, before: int) -> int:
        """The version that a stream had reached before a position."""
        stored = database_of(self._engine).bytes_of(events.c.stream)
        query = select(func.max(events.c.version)).where(stored == stream, events.c.position < before)
        with transaction(self._engine) as connection:
            found = connection.scalar(query)
        return found if isinstance(found, int) else 0

    def _read(self, query: Select[Any]) -> list[Row]:
        return list(map(Row._make, self._fetch(query)))

    def _fetch(self, query: Select[Any]) -> list[RawRow]:
        with reading(self._engine) as connection:
            return cast(list[RawRow], database_of(self._engine).stored(connection, query))
