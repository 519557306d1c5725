"""The ledger: append facts to streams, read them back in order.

Positions are assigned, hashes chained and stream versions checked inside one write transaction, because
several processes append to the same database. A writer that keeps its connection remembers the head that it has
made, and may take it for granted: then the very statement that inserts its events proves it.
"""

import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import CompoundSelect, Connection, Engine, Select, select, union_all

from ledger.appends import Append, EncodedEvent, Provided, Receipt
from ledger.clock import ClockGuard
from ledger.codec import Codec
from ledger.engines.beside import Beside
from ledger.engines.database import appending, connect, database_of, extend, pages, reading, transaction
from ledger.entries import COLUMNS, Entry, Head, entry_of, head_of
from ledger.errors import (
    ClockError,
    LedgerError,
    UnavailableError,
    UnreadableEventError,
)
from ledger.events import ClockAccepted, Event
from ledger.ids import new_ids
from ledger.numbering import Numbering, expected_versions, number
from ledger.recent import Recent
from ledger.schema import events
from ledger.streams import LEDGER_STREAM, stream_of

PAGE_ENTRIES = 2_000
RESEND_SECONDS_MAX = 10.0
"""How long an append is sent again; a service asked to stop waits for it."""
RESEND_PAUSE_SECONDS = 0.05
DOUBTS = 8
"""After it has met another process, a writer looks at the head for so many appends: it seldom is alone then."""
_PLAIN = re.compile(r"[!-~]+").fullmatch


@dataclass(slots=True)
class Held:
    """A connection that a writer keeps from append to append, and the head as its last one has left it."""

    connection: Connection
    head: Head | None = None
    """None before the first append, and after one that failed."""
    doubts: int = 0
    """How many appends have to find it the newest before it is believed again."""

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()


class Ledger:
    """An append-only log of events in one database."""

    def __init__(
        self,
        engine: Engine,
        *,
        codec: Codec | None = None,
        clock: Callable[[], float] = time.time,
        guard: ClockGuard | None = None,
        listen: Callable[[Sequence[Event], Receipt], None] | None = None,
        resend_seconds: float = RESEND_SECONDS_MAX,
    ) -> None:
        """`guard` looks at the clock before each write; without one any time is believed.

        `listen` is called with what `append` has written, and not with the batches of `append_all`. An append for
        which a database on a network has no answer is sent again for `resend_seconds`.
        """
        self.engine = engine
        self.codec = codec or Codec()
        self._clock = clock
        self._guard = guard
        self._listen = listen
        self._resend_seconds = resend_seconds
        self._recent: Recent | None = None
        """From the first `follow` on."""

    def append(
        self, stream: str, new: Sequence[Event], expected_version: int | None, *, ids: Sequence[str] | None = None
    ) -> Receipt:
        """Append `new` to `stream`, all of them or none, durably.

        `expected_version` is the version at which the caller has read the stream (0: there is none yet). None is
        for facts that were not decided from the stream, such as a training run: they go after whatever it holds.
        With `ids` given the append may be repeated: the same ids with the same content get the first receipt.
        Raises ConflictError, DuplicateError, InvalidEventError, StorageError.
        """
        (outcome,) = self.append_all([self.prepare(stream, new, expected_version, ids=ids)])
        if isinstance(outcome, LedgerError):
            raise outcome
        if self._listen is not None:
            self._listen(new, outcome)
        return outcome

    def record(self, event: Event) -> Receipt:
        """Append a fact that was not decided from its stream, such as a training run, where it belongs."""
        return self.append(stream_of(event), [event], None)

    def prepare(
        self,
        stream: str,
        new: Sequence[Event],
        expected_version: int | None,
        *,
        ids: Sequence[str] | None = None,
        beside: Beside | None = None,
        provided: Provided = (),
    ) -> Append:
        """The append as bytes, not yet written. Raises InvalidEventError.

        It is refused, as at a wrong version, where a stream of `provided` is not at its version: what was decided
        from that stream too, without a look at the database, is out of date then.

        `beside` is a statement on another table that is executed in the same transaction, if the events are
        appended: for what belongs to them and may not be in the log, such as a name that can be erased.
        """
        assert new, "an append needs at least one event"
        assert ids is None or len(set(ids)) == len(ids) == len(new), "one id an event, each its own"
        # A name that the database turns down would fail every append of the same batch.
        assert all(_PLAIN(name) for name in (stream, *(ids or ()))), "streams and ids are printable ASCII"
        encode = self.codec.encode
        named = zip(ids or new_ids(len(new)), new, strict=True)
        encoded = tuple([EncodedEvent(event_id, *encode(event)) for event_id, event in named])
        return Append(stream, encoded, expected_version, ids is not None, beside, provided)

    def connect(self) -> Held:
        """A connection that the caller keeps for `append_all`, and closes. Raises StorageError."""
        return Held(connect(self.engine))

    def append_all(self, appends: Sequence[Append], *, on: Held | None = None) -> list[Receipt | LedgerError]:
        """Write many appends with one commit; each gets its own receipt or its own refusal, in this order.

        On a connection that the caller keeps, which takes a quarter less CPU, or on one from the pool.
        Raises StorageError when the database refuses, and ClockError; then nothing of any of them is written. Only
        after an UnavailableError it may be: the caller may append the same again with the same ids.
        """
        self._check_clock()
        until = time.monotonic() + self._resend_seconds
        try:
            return self._write(appends, on)
        except UnavailableError:
            # What was sent may be stored. From here on each event is known by its id.
            again = [append._replace(keyed=True) for append in appends]
        while True:
            time.sleep(RESEND_PAUSE_SECONDS)
            try:
                return self._write(again, on, again=True)
            except UnavailableError:
                if time.monotonic() > until:
                    raise

    def _write(
        self, appends: Sequence[Append], held: Held | None, *, again: bool = False
    ) -> list[Receipt | LedgerError]:
        if held is not None and not again and (receipts := self._extend(appends, held)) is not None:
            return receipts
        database = database_of(self.engine)
        with appending(self.engine, held.connection if held else None) as connection:
            streams = sorted({stream for append in appends for stream in _streams(append)})
            head, versions, known = database.look(connection, streams, _ids(appends))
            before, stored = head_of(head), map(entry_of, known)
            numbering = Numbering(before, versions, {entry.event_id: entry for entry in stored})
            now_us = self._time_us(numbering.head)
            outcomes = [number(numbering, append, now_us) for append in appends]
            if again:
                database.settle(connection)
            database.insert(connection, numbering.entries, _besides(appends, outcomes))
        if held is not None:
            held.doubts = max(held.doubts - 1, 0) if held.head in (None, before) else DOUBTS
            held.head = numbering.head
        self._remember(before, numbering.entries)
        return outcomes

    def _extend(self, appends: Sequence[Append], held: Held) -> list[Receipt | LedgerError] | None:
        """Append by one statement, on the head that is remembered and at the versions that the appends expect.

        It writes nothing unless they are the database's. None where they are not, or where it takes more than one
        statement: then the database is looked at, under its lock.
        """
        head, rows_max = held.head, database_of(self.engine).extension_rows_max
        if head is None or held.doubts or not all(map(_is_simple, appends)):
            return None
        if sum(len(append.events) for append in appends) > rows_max:
            return None
        versions = expected_versions(appends)
        numbering = Numbering(head, versions.copy())
        now_us = self._time_us(head)
        outcomes = [number(numbering, append, now_us) for append in appends]
        # A refusal here compares one append with another, and not with what is stored.
        if not all(isinstance(outcome, Receipt) for outcome in outcomes):
            return None
        held.head = None
        done = extend(self.engine, held.connection, head.chain_hash, versions, numbering.entries)
        held.head = numbering.head if done else head
        if done:
            self._remember(head, numbering.entries)
        return outcomes if done else None

    def _remember(self, before: Head, entries: Sequence[Entry]) -> None:
        if self._recent is not None and entries:
            self._recent.add(before, entries)

    def _time_us(self, head: Head) -> int:
        """The clock's time, and never before the newest entry's."""
        return max(int(self._clock() * 1_000_000), head.recorded_us)

    def read(
        self,
        after: int = 0,
        *,
        limit: int = PAGE_ENTRIES,
        through: int | None = None,
        descending: bool = False,
        types: Sequence[str] = (),
    ) -> list[Entry]:
        """At most `limit` entries with position > `after` (and <= `through`), in order of position.

        With `types` only those of these types. No index finds them, so that such a caller bounds `through`.
        """
        query = select(*COLUMNS).where(events.c.position > after)
        if through is not None:
            query = query.where(events.c.position <= through)
        if types:
            query = query.where(events.c.type.in_(types))
        position = events.c.position
        return self._entries(query.order_by(position.desc() if descending else position).limit(limit))

    def appended(self, head: Head, *, limit: int) -> list[Entry]:
        """At most `limit` entries that follow `head`, of those that were appended here. Looks at no database.

        None are known before the first `follow`, which is also what proves that the ledger still has them.
        """
        return self._recent.after(head, limit) if self._recent is not None else []

    def follow(self, head: Head, *, limit: int = PAGE_ENTRIES) -> list[Entry] | None:
        """At most `limit` entries that follow `head`; None where the ledger does not hold the head itself.

        A server may come back from a failover without what it had acknowledged, or be restored under a process
        that runs. Nothing says so, and positions go on as ever: so the newest link is compared each time, which
        costs one row. It stands for all before it, so that those which this process has appended itself since its
        first call are proven by that row too, and not read.
        """
        if self._recent is None:
            self._recent = Recent()
        known = self.appended(head, limit=limit)
        last = known[-1].head if known else head
        if not last.position:
            return self.read(limit=limit)
        page = self.read(last.position - 1, limit=1 + limit - len(known))
        if page and page[0].chain_hash == last.chain_hash:
            return known + page[1:]
        # Whoever is at the newest of them has nothing known to come, and none of them is the ledger's any more.
        self._recent.clear()
        return self.follow(head, limit=limit) if known else None

    def pages(
        self, after: int = 0, through: int | None = None, *, limit: int = PAGE_ENTRIES
    ) -> Generator[list[Entry], None, None]:
        """All entries with `after` < position <= `through`, in bounded pages."""
        with closing(pages(self.engine, after, through, limit=limit)) as found:
            for page in found:
                yield list(map(entry_of, page))

    def read_stream(self, stream: str, after_version: int = 0, through_version: int | None = None) -> list[Entry]:
        """The entries of one stream with version > `after_version` (and <= `through_version`), in order."""
        condition = (events.c.stream == stream) & (events.c.version > after_version)
        if through_version is not None:
            condition &= events.c.version <= through_version
        return self._entries(select(*COLUMNS).where(condition).order_by(events.c.version))

    def read_streams(self, after: Mapping[str, int]) -> list[Entry]:
        """The entries of several streams, each with version > its own, in order of position and at one state."""
        # A part for each stream: by "or" a planner may walk through the whole log, because that is in order.
        parts = (
            select(*COLUMNS).where((events.c.stream == stream) & (events.c.version > version))
            for stream, version in after.items()
        )
        return sorted(self._entries(union_all(*parts)))

    def streams_with(self, streams: Iterable[str], types: Iterable[str]) -> set[str]:
        """Those of the streams that hold an event of one of these types."""
        condition = events.c.stream.in_(list(streams)) & events.c.type.in_(list(types))
        with transaction(self.engine) as connection:
            return set(connection.scalars(select(events.c.stream).where(condition).distinct()))

    def version(self, stream: str) -> int:
        """The version of a stream's newest event; 0 for a stream that does not exist."""
        return self._look([stream])[1].get(stream, 0)

    def find(self, event_id: str) -> Entry | None:
        """The entry with this event id, if there is one."""
        found = self._entries(select(*COLUMNS).where(events.c.event_id == event_id))
        return found[0] if found else None

    def decode(self, entry: Entry) -> Event:
        """The event that an entry holds, in its newest shape. Raises UnreadableEventError."""
        try:
            return self.codec.decode(entry.type, entry.schema_version, entry.payload)
        except UnreadableEventError as error:
            raise UnreadableEventError(
                error.event_type, error.schema_version, error.problem, entry.position
            ) from error

    def head(self) -> Head:
        """The newest entry's position, chain hash and time; GENESIS at 0 for an empty ledger."""
        return self._look([])[0]

    def check(self) -> None:
        """Raise StorageError where no append can succeed: the database's file or the clock is not what it was."""
        database_of(self.engine).check_name()
        self._check_clock()

    def now_us(self) -> int:
        """The time that an entry appended now would bear: the clock's, and never before the newest entry's."""
        return self._time_us(self.head())

    def ahead_seconds(self) -> float:
        """How far the newest entry's time is ahead of the clock; negative when it is behind."""
        return self.head().recorded_us / 1_000_000 - self._clock()

    def _check_clock(self) -> None:
        if self._guard is None:
            return
        try:
            self._guard.check()
        except ClockError:
            if not any(self._guard.accept(seconds) for seconds in self._accepted_clocks()):
                raise

    def _accepted_clocks(self) -> list[float]:
        """The times that operators have accepted, newest first."""
        events = [self.decode(entry) for entry in reversed(self.read_stream(LEDGER_STREAM))]
        return [event.clock_us / 1_000_000 for event in events if isinstance(event, ClockAccepted)]

    def _look(self, streams: Sequence[str]) -> tuple[Head, dict[str, int]]:
        with reading(self.engine) as connection:
            head, versions, _ = database_of(self.engine).look(connection, streams, ())
            return head_of(head), versions

    def _entries(self, query: Select[tuple[object, ...]] | CompoundSelect[tuple[object, ...]]) -> list[Entry]:
        with reading(self.engine) as connection:
            # From the driver's cursor: a Row for each entry on the way would be a fifth of a replay.
            cursor = connection.execute(query).cursor
            assert cursor is not None
            return list(map(entry_of, cursor.fetchall()))


def _is_simple(append: Append) -> bool:
    """Whether it is decided by versions alone, and writes nothing but events."""
    return append.expected_version is not None and not append.keyed and append.beside is None


def _ids(appends: Sequence[Append]) -> list[str]:
    return [event.event_id for append in appends if append.keyed for event in append.events]


def _streams(append: Append) -> list[str]:
    return [append.stream, *(stream for stream, _ in append.provided)]


def _besides(appends: Sequence[Append], outcomes: Sequence[Receipt | LedgerError]) -> list[Beside]:
    pairs = zip(appends, outcomes, strict=True)
    return [one.beside for one, outcome in pairs if one.beside is not None and isinstance(outcome, Receipt)]
