"""The connections of one process: how many there may be, and which one makes room for a new one."""

from typing import Protocol


class Closable(Protocol):
    """The server's side of a connection."""

    def make_room(self) -> None:
        """Close the connection, on which no request is in progress."""
        ...


class Connections:
    """The connections of one process, at most `limit` of them.

    An idle connection costs a client nothing and the service a descriptor: a thousand of them would leave none for
    anything else. So the connection that has been idle longest makes room for a new one, and a client is refused
    only while every connection has a request in progress.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy: set[Closable] = set()
        self._idle: dict[Closable, None] = {}  # the longest idle first

    def enter(self, connection: Closable) -> bool:
        """Take in a new, idle connection; False when there is no room for it."""
        if len(self._busy) + len(self._idle) >= self._limit:
            if not self._idle:
                return False
            longest = next(iter(self._idle))
            del self._idle[longest]
            longest.make_room()
        self._idle[connection] = None
        return True

    def begin(self, connection: Closable) -> None:
        """A request has begun on it."""
        self._idle.pop(connection, None)
        self._busy.add(connection)

    def rest(self, connection: Closable) -> None:
        """Its request has been answered."""
        self._busy.discard(connection)
        self._idle[connection] = None

    def leave(self, connection: Closable) -> None:
        """It is closed, or was never let in."""
        self._busy.discard(connection)
        self._idle.pop(connection, None)
