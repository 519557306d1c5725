"""Lanes for work that blocks a thread: what hangs in one lane takes no place from the others."""

import math
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from gameplay.refusals import TooMany, Unavailable
from gameplay.web.limits import Limits

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Lane:
    """Runs functions in threads, at most `places` at a time; a caller waits for a place within a limit."""

    def __init__(self, work: str, places: int, wait_seconds: float) -> None:
        self._work = work
        self._places = anyio.Semaphore(places)
        self._wait_seconds = wait_seconds
        self._threads = anyio.CapacityLimiter(math.inf)  # the places are the limit

    async def __call__(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """The function's result. Raises Unavailable if no place becomes free in time."""
        await self._enter()
        try:
            return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._threads)
        finally:
            self._places.release()

    async def _enter(self) -> None:
        try:
            # The limit is on the wait alone: a thread that has begun cannot be stopped.
            with anyio.fail_after(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable(f"{self._work}: no place has become free; try again in a moment") from error


class ShortLane(Lane):
    """A lane in which no caller waits: what is done in it keeps a processor busy for long."""

    def __init__(self, work: str, places: int) -> None:
        super().__init__(work, places, 0.0)

    async def _enter(self) -> None:
        """Raises TooMany if no place is free."""
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock as error:
            raise TooMany(f"{self._work}; try again in a moment") from error


class Lanes:
    """The lanes of one process."""

    def __init__(self, limits: Limits) -> None:
        wait_seconds = limits.wait_seconds
        self.reads = Lane("reading", limits.reads, wait_seconds)
        """Database and memory."""
        self.writes = Lane("writing", limits.writes, wait_seconds)
        """Waits for the database's write lock, which another process may hold."""
        self.outside = Lane("asking the registry", limits.outside, wait_seconds)
        """Waits for another machine, or for a lock that is held during such a wait."""
        self.past = Lane("looking at the past", limits.past, wait_seconds)
        """Folds a past state, or waits for the thread that folds it."""
        self.recounts = ShortLane("another recount is under way", 1)
        """Counts a decision's evidence again, from every move."""
        self.reloads = Lane("another reload is under way", 1, wait_seconds)
        """One at a time: while the model store hangs, a second reload would hang too."""
