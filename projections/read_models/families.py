"""The promotion state of each family at the head: from the fold of everything, or from the families' own streams.

A process that starts games needs no more than these; to fold every round for them would cost it as much as a
process that shows everything.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from ledger.entries import Entry
from ledger.store import Ledger
from ledger.streams import promotion_stream, training_stream
from ledger.vocabulary import FAMILIES
from projections.errors import ProjectionError
from projections.projection import StateFold, Tracked
from projections.projector import Projector
from projections.read_models import standings
from projections.read_models.standings import PromotionState, PromotionStates

log = logging.getLogger(__name__)

States = Mapping[str, PromotionState]
"""Family -> its promotion state."""


class Families(Protocol):
    """The promotion states as one process sees them. Threads share it."""

    @property
    def known(self) -> States:
        """As they were at the last look; waits for no fold."""
        ...

    @property
    def position(self) -> int:
        """The position of the newest event that was folded."""
        ...

    @property
    def forks(self) -> int:
        """How often the database no longer held what was folded."""
        ...

    @property
    def failure(self) -> ProjectionError | None:
        """The event that has stopped the fold."""
        ...

    def start(self) -> None:
        """Fold what is there. Raises ProjectionError."""
        ...

    def check(self) -> None:
        """Raise ProjectionError when an event has stopped the fold. Waits for no fold."""
        ...

    def current(self) -> AbstractContextManager[States]:
        """Hold the states still at the head. Raises ProjectionError."""
        ...

    def at_rest(self) -> AbstractContextManager[States | None]:
        """Hold the states still where they are, without a wait; None while a thread folds them."""
        ...


class FoldedFamilies:
    """The states among all others that a projector folds."""

    def __init__(self, projector: Projector, tracked: Tracked[PromotionStates]) -> None:
        self._projector = projector
        self._tracked = tracked

    @property
    def known(self) -> States:
        return self._tracked.state.families

    @property
    def position(self) -> int:
        return self._projector.position

    @property
    def forks(self) -> int:
        return self._projector.forks

    @property
    def failure(self) -> ProjectionError | None:
        return self._projector.failure

    def start(self) -> None:
        """As `Families`."""
        self._projector.start()

    def check(self) -> None:
        """As `Families`."""
        self._projector.check()

    @contextmanager
    def current(self) -> Iterator[States]:
        """As `Families`."""
        with self._projector.current():
            yield self._tracked.state.families

    @contextmanager
    def at_rest(self) -> Iterator[States | None]:
        """As `Families`."""
        with self._projector.at_rest() as is_held:
            yield self._tracked.state.families if is_held else None


class StreamedFamilies:
    """The states folded from the streams of promotion and training alone, which an index finds.

    They know aliases, versions, runs, plans and the swap count; what versions have shown in games is left out.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.forks = 0
        self.failure: ProjectionError | None = None
        self._ledger = ledger
        self._tracked = Tracked(standings.projection())
        self._fold = StateFold(ledger.codec, [self._tracked])
        self._newest: dict[str, Entry] = {}
        self._lock = threading.RLock()

    @property
    def known(self) -> States:
        return self._tracked.state.families

    @property
    def position(self) -> int:
        return max((entry.position for entry in self._newest.values()), default=0)

    def start(self) -> None:
        """As `Families`."""
        with self.current():
            pass

    def check(self) -> None:
        """As `Families`."""
        if failure := self.failure:
            raise ProjectionError(failure.position, failure.event_type, failure.problem) from failure

    @contextmanager
    def current(self) -> Iterator[States]:
        """As `Families`."""
        with self._lock:
            self._catch_up()
            yield self._tracked.state.families

    @contextmanager
    def at_rest(self) -> Iterator[States | None]:
        """As `Families`."""
        is_held = self._lock.acquire(blocking=False)
        try:
            yield self._tracked.state.families if is_held else None
        finally:
            if is_held:
                self._lock.release()

    def _catch_up(self) -> None:
        self.check()
        news = self._news()
        if news is None:
            self._start_over()
            news = self._news() or []
        try:
            self._fold(news)
        except ProjectionError as error:
            self.failure = error
            raise
        for entry in news:
            self._newest[entry.stream] = entry

    def _news(self) -> list[Entry] | None:
        """What has come since the last look; None where what was folded is there no more.

        Of each stream the newest entry that is known is read again, and has to be the same: a failover may have
        taken it away.
        """
        streams = [stream(family) for family in FAMILIES for stream in (promotion_stream, training_stream)]
        after = {name: known.version - 1 if (known := self._newest.get(name)) else 0 for name in streams}
        found = self._ledger.read_streams(after)
        again = {entry.stream: entry for entry in reversed(found)}
        if any(again.get(name) != known for name, known in self._newest.items()):
            return None
        return [entry for entry in found if entry != self._newest.get(entry.stream)]

    def _start_over(self) -> None:
        self.forks += 1
        log.error(
            "the ledger is another one than was folded: the promotion states are folded again. Compare it with its"
            " copies by `rps-audit verify`"
        )
        self._tracked.reset()
        self._newest.clear()
