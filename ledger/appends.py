"""A request to append, encoded and not yet written, and where it landed."""

from typing import NamedTuple

from ledger.engines.beside import Beside

Provided = tuple[tuple[str, int], ...]
"""Streams from which an append was decided beside its own, each with the version that it must still have."""


class EncodedEvent(NamedTuple):
    """An event that is ready to be written."""

    event_id: str
    type: str
    schema_version: int
    payload: bytes


class Append(NamedTuple):
    """A request: these events, next on this stream, which must be at `expected_version` (None: at any)."""

    stream: str
    events: tuple[EncodedEvent, ...]
    expected_version: int | None
    keyed: bool
    beside: Beside | None = None
    provided: Provided = ()


class Receipt(NamedTuple):
    """Where an append landed: positions first..last, and the stream's version after it."""

    first_position: int
    last_position: int
    version: int
    recorded_us: int
