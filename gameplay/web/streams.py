"""The answers of one process that have no end of their own: how many there may be, and what ends them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gameplay.refusals import TooMany
from gameplay.web.stopping import Stopping


class Streams:
    """Each stream waits here for its next look, so that a stop of the service keeps none of them open."""

    def __init__(self, most: int, stopping: Stopping) -> None:
        self._stopping = stopping
        self._stopped = asyncio.Event()
        stopping.tell(self._stopped.set)
        self._most = most
        self._open = 0

    def require_place(self) -> None:
        """Raise TooMany when there is no room for one more."""
        if self._open >= self._most:
            raise TooMany(f"{self._most} streams are open already; try again in a moment")

    def is_over(self) -> bool:
        """Whether the service stops."""
        return self._stopping.has_begun

    @contextmanager
    def place(self) -> Iterator[None]:
        """Count a stream while it runs."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def wait(self, seconds: float) -> bool:
        """Wait for the next look; False when the service stops, and there is to be none."""
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return True
        return False
