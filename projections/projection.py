"""What a projection is: a name, a version, an initial state and a handler for each event type that it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ledger.events import Event
from ledger.store import Entry

State = TypeVar("State")
Handler = Callable[[State, Any, Entry], None]
"""Folds one event into the state, in place. The event is of the type that the handler is registered for."""


@dataclass(frozen=True)
class Projection(Generic[State]):
    """A fold over the ledger.

    Raise `version` whenever the fold or the state's shape changes: snapshots of another version are discarded.
    `settings` says, as text, whatever else shapes the state.
    """

    name: str
    version: int
    initial: Callable[[], State]
    handlers: Mapping[str, Handler[State]]
    settings: str = ""

    def apply(self, state: State, event: Event, entry: Entry) -> None:
        """Fold one event; a type without a handler leaves the state as it is."""
        if handler := self.handlers.get(entry.type):
            handler(state, event, entry)


class Tracked(Generic[State]):
    """A projection with its live state and the position up to which that state is folded."""

    def __init__(self, projection: Projection[State]) -> None:
        self.projection = projection
        self.state = projection.initial()
        self.position = 0

    def encode(self) -> bytes:
        """The state as msgpack, which unlike JSON can have label tuples as keys."""
        return msgspec.msgpack.encode(self.state)

    def restore(self, state: bytes, position: int) -> None:
        """Take over an encoded state. Raises one of ledger.codec's DECODE_ERRORS when it has another shape."""
        self.state = msgspec.msgpack.decode(state, type=type(self.state))
        self.position = position

    def reset(self) -> None:
        """Forget everything, so that the next catch-up replays from the first event."""
        self.state = self.projection.initial()
        self.position = 0
