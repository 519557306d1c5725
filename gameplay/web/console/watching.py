"""The watchers of the head: one look at the ledger serves them all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
from msgspec import Struct

from gameplay.refusals import Unavailable
from gameplay.web.stopping import Stopping
from ledger.errors import LedgerError
from projections.errors import ProjectionError

POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0


class Moved(Struct, frozen=True, kw_only=True):
    """The newest line of the timeline, for a notice."""

    position: int
    family: str
    kind: str
    text: str


class News(Struct, frozen=True, kw_only=True):
    """The head, the newest decision's position, and what moved last; `problem` is why nothing newer is known."""

    position: int
    recorded: str | None
    decided: int
    moved: Moved | None
    problem: str | None = None


Look = Callable[[News | None], Awaitable[News]]
"""The news of now, given those that are known."""


class Live:
    """What is new, for every page that watches. Used on one event loop.

    It looks at the ledger while a page watches, and not otherwise.
    """

    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping
        self._changed = asyncio.Event()
        self._latest: News | None = None
        self._watchers = 0
        self._looking: asyncio.Task[None] | None = None
        stopping.tell(self._wake)

    @property
    def watchers(self) -> int:
        """How many pages watch."""
        return self._watchers

    def is_over(self) -> bool:
        """Whether the service stops."""
        return self._stopping.has_begun

    @contextmanager
    def watching(self, look: Look) -> Iterator[None]:
        """Be one of those who watch."""
        self._watchers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(look))
            self._looking.add_done_callback(self._ended)
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and self._looking is not None:
                self._looking.cancel()
                self._looking = None
                self._latest = None

    async def after(self, known: News | None) -> News | None:
        """News that are not those known; None after a while without, and when the service stops.

        A fault that has ended the looks is raised here: to wait on would be to wait for ever.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                while (self._latest is None or self._latest == known) and not self._stopping.has_begun:
                    if self._looking is not None and self._looking.done():
                        self._looking.result()
                    await self._changed.wait()
                return None if self._stopping.has_begun else self._latest
        return None

    async def _look(self, look: Look) -> None:
        while True:
            news = await self._once(look)
            if news != self._latest:
                self._latest = news
                self._wake()
            await asyncio.sleep(POLL_SECONDS)

    def _ended(self, _looking: asyncio.Task[None]) -> None:
        self._wake()

    async def _once(self, look: Look) -> News:
        try:
            return await look(self._latest)
        except (LedgerError, ProjectionError, Unavailable) as error:
            known = self._latest or News(position=0, recorded=None, decided=0, moved=None)
            return msgspec.structs.replace(known, problem=type(error).__name__)

    def _wake(self) -> None:
        """Let every watcher go on; the next ones wait for what comes next."""
        self._changed.set()
        self._changed = asyncio.Event()
