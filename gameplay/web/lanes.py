"""Lanes for the work that blocks a thread, so that what hangs in one takes no place from the others."""

import math
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from gameplay.refusals import Unavailable
from gameplay.web.limits import Limits

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Lane:
    """Runs functions in threads, `places` at a time; a caller who finds no place in time is refused."""

    def __init__(self, work: str, places: int, wait_seconds: float) -> None:
        self._work = work
        self._places = anyio.Semaphore(places)
        self._wait_seconds = wait_seconds
        self._threads = anyio.CapacityLimiter(math.inf)  # the places are the limit

    async def __call__(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What the function returns. Raises Unavailable when no place has become free in time."""
        try:
            # Around the wait alone: a thread that has begun cannot be taken back.
            with anyio.fail_after(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable(f"{self._work}: no place has become free; try again in a moment") from error
        try:
            return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._threads)
        finally:
            self._places.release()


class Lanes:
    """The lanes of one process."""

    def __init__(self, limits: Limits) -> None:
        wait_seconds = limits.wait_seconds
        self.reads = Lane("reading", limits.reads, wait_seconds)
        """From the database and from memory."""
        self.writes = Lane("writing", limits.writes, wait_seconds)
        """To the database, which another process may have locked."""
        self.outside = Lane("asking the registry", limits.outside, wait_seconds)
        """What may wait for another machine, or for a lock that is held during such a wait."""
        self.reloads = Lane("another reload is under way", 1, wait_seconds)
        """One at a time: while the model store hangs, no other would be answered sooner."""
