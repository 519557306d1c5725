"""What a projection is: a name, a version, an initial state and a handler for each event class that it reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from ledger.codec import Codec
from ledger.decoders import msgpack_decoder
from ledger.entries import Entry
from ledger.events import Event, wire_name
from projections.fold import Fold, Reader, Readers

State = TypeVar("State")
Happened = TypeVar("Happened", bound=Event)

Handler = Callable[[State, Any, Entry], None]
"""Folds one event into the state, in place. `on` has checked that it takes the class it is registered for."""


Registered = tuple[str, Handler[State]]
"""The wire name of an event class, and the handler of its events."""


def on(event_class: type[Happened], handler: Callable[[State, Happened, Entry], None]) -> Registered[State]:
    """A handler under the wire name of its event class; mypy refuses one that takes another class."""
    return wire_name(event_class), handler


@dataclass(frozen=True)
class Projection(Generic[State]):
    """A fold over the ledger.

    Raise `version` whenever the fold or the state's shape changes: snapshots of another version are discarded.
    `settings` says, as text, whatever else shapes the state.
    """

    name: str
    version: int
    initial: Callable[[], State]
    handlers: Sequence[Registered[State]]
    settings: str = ""


class Tracked(Generic[State]):
    """A projection with its live state and the position up to which that state is folded."""

    def __init__(self, projection: Projection[State]) -> None:
        self.projection = projection
        self.state = projection.initial()
        self.position = 0
        self._decoder = msgpack_decoder(type(self.state))

    def encode(self) -> bytes:
        """The state as msgpack, which unlike JSON can have label tuples as keys."""
        return msgspec.msgpack.encode(self.state)

    def decode(self, state: bytes) -> State:
        """A state of this projection from its bytes. Raises one of ledger.codec's DECODE_ERRORS."""
        return self._decoder.decode(state)

    def restore(self, state: bytes, position: int) -> None:
        """Take over an encoded state. Raises one of ledger.codec's DECODE_ERRORS when it has another shape."""
        self.state = self.decode(state)
        self.position = position

    def reset(self) -> None:
        """Drop the state, so that the next catch-up replays from the first event."""
        self.state = self.projection.initial()
        self.position = 0


def readers(tracked: Sequence[Tracked[Any]]) -> Readers:
    """Event type -> the readers of it. They hold the present states, which a restore or a reset replaces."""
    found: dict[str, list[Reader]] = {}
    for one in tracked:
        for event_type, handler in one.projection.handlers:
            found.setdefault(event_type, []).append(Reader(one.projection.name, partial(handler, one.state)))
    return found


class StateFold:
    """Folds into the present states of several projections."""

    def __init__(self, codec: Codec, tracked: Sequence[Tracked[Any]]) -> None:
        self._codec = codec
        self._tracked = tuple(tracked)
        self._make()

    def __call__(self, entries: Iterable[Entry]) -> None:
        """Fold the entries that come next. Raises ProjectionError."""
        # A restore and a reset replace the states. Made for each page, a fold would take a third of a small one.
        if any(one.state is not state for one, state in zip(self._tracked, self._states, strict=True)):
            self._make()
        self._fold(entries)

    def _make(self) -> None:
        self._states = [one.state for one in self._tracked]
        self._fold = Fold(self._codec, readers(self._tracked))
