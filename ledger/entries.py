"""What the log holds: entries in order of position, of which the newest is the head."""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ledger.chain import GENESIS, leaf, link
from ledger.schema import events

COLUMNS = tuple(events.columns)


class Head(NamedTuple):
    """The newest entry: its position (0 when the ledger is empty), chain hash and time."""

    position: int
    chain_hash: bytes
    recorded_us: int


class Entry(NamedTuple):
    """One row of the log, with the payload as the bytes that were stored."""

    position: int
    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    recorded_us: int
    payload: bytes
    chain_hash: bytes

    @property
    def head(self) -> Head:
        """The head that the ledger had when this entry was its newest."""
        return Head(self.position, self.chain_hash, self.recorded_us)

    def follows(self, previous: bytes) -> bool:
        """Whether the chain hash is what the columns give after `previous`."""
        try:
            return link(previous, leaf(*self[:-1])) == self.chain_hash
        except struct.error:  # a number that no entry can have
            return False


assert Entry._fields == tuple(column.name for column in COLUMNS), (
    "an entry has the table's columns, in their order"
)
# `Entry._make` is a function in Python, and counts the columns of each row again.
entry_of: Callable[[Sequence[object]], Entry] = partial(tuple.__new__, Entry)
"""The entry of a row."""


def head_of(row: Sequence[Any] | None) -> Head:
    """The head, of the newest entry's position, chain hash and time; GENESIS at 0 where there is none."""
    return Head(0, GENESIS, 0) if row is None else Head._make(row)
