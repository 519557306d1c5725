"""One way to the head: every projection catches up in bounded pages, from a snapshot or from the first event."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import takewhile
from typing import Any, Protocol

from ledger.chain import GENESIS
from ledger.engines.database import transaction
from ledger.entries import Entry, Head
from ledger.events import Event
from ledger.store import PAGE_ENTRIES, Ledger
from projections import snapshots
from projections.errors import ProjectionError
from projections.fold import decode
from projections.projection import StateFold, Tracked
from projections.schema import projection_snapshots, projection_waypoints
from projections.waypoints import ENTRIES_BETWEEN, Row, Waypoints
from projections.waypoints import save as save_waypoints

log = logging.getLogger(__name__)

SNAPSHOT_ENTRIES = 10_000
KEPT_UP_ENTRIES_MAX = 400
"""A millisecond's work. A batch of an event loop's appends has fewer."""


class ReadTable(Protocol):
    """A read model whose rows live in the database and move together with their checkpoint."""

    name: str
    types: frozenset[str]

    def restore(self) -> str | None:
        """Drop rows that cannot be trusted; says why they were dropped."""
        ...

    def position(self) -> int:
        """How far the rows are folded."""
        ...

    def fold(self, batch: Sequence[tuple[Entry, Event]], through: Head) -> bool:
        """Fold what is new in the batch and set the checkpoint to `through`, in one transaction.

        False, and nothing is written, where the rows are of a history that the ledger has lost.
        """
        ...


class Projector:
    """Folds a ledger into the states of several projections, all of them at one position.

    Threads share it: a caller looks at the states within `current()`, which catches up first.
    """

    def __init__(
        self,
        ledger: Ledger,
        tracked: Sequence[Tracked[Any]],
        table: ReadTable | None,
        *,
        waypoint_entries: int = ENTRIES_BETWEEN,
    ) -> None:
        """Without a table nothing is ever written, so that a database opened for reading will do."""
        self.head = Head(0, GENESIS, 0)
        self.discarded: dict[str, int] = {one.projection.name: 0 for one in tracked}
        """How often what was stored of a read model did not fit, and was folded again."""
        if table is not None:
            self.discarded[table.name] = 0
        self.forks = 0
        """How often the ledger was no longer the one that had been folded."""
        self.failure: ProjectionError | None = None
        self._ledger = ledger
        self._tracked = tuple(tracked)
        self._fold_states = StateFold(ledger.codec, tracked)
        self._table = table
        self._waypoints = Waypoints(ledger, tracked, waypoint_entries)
        self._saved_position = 0
        self._must_restore = False
        """The last restoring was stopped half-way, by a database that did not answer, say."""
        self._lock = threading.RLock()

    @property
    def position(self) -> int:
        """The position up to which everything is folded."""
        return self.head.position

    def start(self) -> None:
        """Restore the snapshots, bring stragglers level with the others, and catch up to the head."""
        with self._lock:
            self._restore_whole()
            self.catch_up()

    def check(self) -> None:
        """Raise ProjectionError when an event has stopped the fold. Waits for no fold."""
        if failure := self.failure:
            # A new one each time: an exception that is raised again collects the tracebacks of its raisers.
            raise ProjectionError(failure.position, failure.event_type, failure.problem) from failure

    def catch_up(self) -> int:
        """Fold everything up to the head, and return its position. Raises ProjectionError, then for ever.

        Where the ledger is no longer the one that was folded, everything is folded again.
        """
        with self._lock:
            while self.advance():
                with closing(self._ledger.pages(self.position)) as pages:
                    for page in takewhile(self._is_next, pages):
                        self._advance(page)
            return self.position

    def advance(self, entries_max: int | None = None) -> bool:
        """Fold a page, or so many entries at most; says whether there may be more. Raises as `catch_up`."""
        with self._lock:
            self.check()
            if self._must_restore:
                self._restore_whole()
            entries_max = entries_max or PAGE_ENTRIES
            page = self._ledger.follow(self.head, limit=entries_max)
            if page is None:
                self._start_over()
                page = self._ledger.read(self.position, limit=entries_max)
            self._advance(page)
            return len(page) >= entries_max

    def fold(self, page: Sequence[Entry]) -> None:
        """Fold the entries that come next. Raises ProjectionError, and then no catch-up goes on."""
        with self._lock:
            # The table first: if the database refuses, no state has moved and the page can be read again.
            self._fold_table(page)
            with self._failing():
                self._fold_states(page)
            self.head = page[-1].head
            for tracked in self._tracked:
                tracked.position = self.position

    def keep_up(self, entries_max: int = KEPT_UP_ENTRIES_MAX) -> None:
        """Fold what this process has appended, so many entries at most. Waits for no fold and no database.

        For the event loop that has them appended: a thread that folds would take the interpreter from it at each
        step. What is left out here is left to `advance`: entries of other processes, what a table takes, which
        is a commit, and what comes while another thread folds. What stops the fold is raised by the next look.
        """
        with self.at_rest() as is_held:
            if not is_held or self.failure is not None:
                return
            left_out = self._table.types if self._table is not None else frozenset()
            known = self._ledger.appended(self.head, limit=entries_max)
            if page := list(takewhile(lambda entry: entry.type not in left_out, known)):
                try:
                    self.fold(page)
                except ProjectionError:
                    log.exception("the projections have stopped")

    @contextmanager
    def current(self) -> Iterator[int]:
        """Hold every state still at the head; yields its position."""
        with self._lock:
            yield self.catch_up()

    @contextmanager
    def at_rest(self) -> Iterator[bool]:
        """Hold every state still where it is, unless a thread is folding: then nothing is held, and it says False.

        For a caller that may wait for no fold and no database, and learns by other means whether it is the head.
        """
        held = self._lock.acquire(blocking=False)
        try:
            yield held
        finally:
            if held:
                self._lock.release()

    def save(self, *, every: int = SNAPSHOT_ENTRIES) -> bool:
        """Write snapshots when `every` entries or more were folded since the last ones, or waypoints were laid.

        The states are encoded while they are held still, and written afterwards: a thread that looks at
        them does not wait for the database, which another process may have locked.
        """
        with self._lock:
            if self._table is None or self.failure or self._must_restore:
                return False
            if self.position - self._saved_position < max(every, 1) and not self._waypoints.unsaved:
                return False
            taken = [snapshots.take(tracked, self.head) for tracked in self._tracked]
            laid = self._waypoints.unsaved
            head = self.head
        self._fold_into(self._table, (), head)
        with transaction(self._ledger.engine, write=[projection_snapshots, projection_waypoints]) as connection:
            snapshots.save(connection, taken)
            save_waypoints(connection, laid, head.position)
        self._waypoints.mark_saved(laid)
        self._saved_position = head.position
        return True

    def take_waypoints(self, rows: Sequence[Row]) -> None:
        """Have the next `save` store waypoints that another fold has laid."""
        if rows:
            with self._lock:
                self._waypoints.add(rows)

    def _is_next(self, page: Sequence[Entry]) -> bool:
        """Whether the page goes on with what is folded: the ledger may have lost that since the last look."""
        return page[0].follows(self.head.chain_hash)

    def _start_over(self) -> None:
        self.forks += 1
        log.error(
            "the ledger is another one than was folded: it does not hold position %d with chain hash %s, and"
            " everything is folded again; counters may fall. Compare it with its copies by `rps-audit verify`",
            self.position,
            self.head.chain_hash.hex(),
        )
        self._reset()
        self._restore_whole()

    def _restore_whole(self) -> None:
        """Restore all that is stored; what is stopped half-way is begun anew by the next look."""
        self._must_restore = True
        with ExitStack() as undo:
            # Stopped half-way, the states stand at several positions, and no catch-up could go on from there.
            undo.callback(self._reset)
            self._restore()
            undo.pop_all()
        self._must_restore = False

    def _restore(self) -> None:
        for tracked in self._tracked:
            if snapshots.load(self._ledger, tracked) is False:
                self._discard(tracked.projection.name, "its snapshot is not one of this fold and this ledger")
        level = max((tracked.position for tracked in self._tracked), default=0)
        if self._table is not None:
            self._waypoints.prune()
        for tracked in self._tracked:
            self._replay(tracked, level)
        if self._table is not None:
            self._restore_table(self._table, level)
        if level:
            self.head = self._ledger.read(level - 1, limit=1)[0].head
        # One that was discarded is worth saving again soon, or every start would replay it.
        self._saved_position = 0 if any(self.discarded.values()) else level

    def _restore_table(self, table: ReadTable, level: int) -> None:
        if problem := table.restore():
            self._discard(table.name, problem)
        for page in self._ledger.pages(table.position(), level):
            self._fold_table(page)

    def _discard(self, name: str, problem: str) -> None:
        self.discarded[name] += 1
        log.warning("%s is folded again: %s", name, problem)

    def _reset(self) -> None:
        for tracked in self._tracked:
            tracked.reset()
        self.head = Head(0, GENESIS, 0)

    def _replay(self, tracked: Tracked[Any], through: int) -> None:
        """Fold what a straggler lacks, and lay its share of the waypoints that the others have."""
        fold_one = StateFold(self._ledger.codec, [tracked])
        stops = [] if self._table is None else self._waypoints.positions(tracked.position, through - 1)
        for stop in (*stops, through):
            for page in self._ledger.pages(tracked.position, stop):
                with self._failing():
                    fold_one(page)
                tracked.position = page[-1].position
                if tracked.position in stops:
                    self._waypoints.lay(page[-1].head, [tracked])

    def _advance(self, page: Sequence[Entry]) -> None:
        if page:
            self.fold(page)
        if self._table is not None and self._waypoints.is_due(self.position, self.position):
            self._waypoints.lay(self.head, self._tracked)

    def _fold_table(self, page: Sequence[Entry]) -> None:
        if self._table is None:
            return
        with self._failing():
            codec, types = self._ledger.codec, self._table.types
            batch = [(entry, decode(entry, codec)) for entry in page if entry.type in types]
            if batch:
                self._fold_into(self._table, batch, page[-1].head)

    def _fold_into(self, table: ReadTable, batch: Sequence[tuple[Entry, Event]], through: Head) -> None:
        if not table.fold(batch, through):
            # The process that has found this out may be gone, or be a thread that was faster than this one.
            with self._lock:
                self._restore_table(table, through.position)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except ProjectionError as error:
            self.failure = error
            raise
