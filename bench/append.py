"""Durable appends through the public API against the floor: bare sqlite3, same table, same pragmas."""

import asyncio
import itertools
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from bench.ledgers import empty_ledger, fill_with_games
from bench.scenario import Outcome, compare, seconds
from ledger.entries import Entry
from ledger.events import Event, PredictionMade, RoundPlayed
from ledger.store import Ledger
from ledger.streams import game_stream
from ledger.writer import Writer

TASKS = 64
CALLS = 60
EVENTS_A_CALL = 5
EVENTS = TASKS * CALLS * EVENTS_A_CALL
RAW_BATCH = 100
COMMITS = 200
RAW_INSERT = f"INSERT INTO events VALUES ({', '.join('?' * len(Entry._fields))})"

_numbers = itertools.count()
"""Of database files, each used once."""


class OurAppends:
    """A load on the public API: TASKS tasks, each of which appends to a stream of its own, call after call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.call = _one_call(folder)
        self.rows: list[tuple[object, ...]] = []
        """What the last load has written."""

    def rate(self) -> float:
        """Events a second, into a new ledger."""
        ledger = empty_ledger(self._folder / f"append-{next(_numbers)}.db")
        spent = uvloop.run(_append(ledger, self.call))
        assert ledger.head().position == EVENTS
        self.rows = [tuple(entry) for page in ledger.pages() for entry in page]
        ledger.engine.dispose()
        return EVENTS / spent


def scenario(folder: Path) -> Outcome:
    """64 tasks, five events a call, against `executemany` in batches of 100."""
    ours = OurAppends(folder)

    def floor() -> float:
        engine = empty_ledger(folder / f"append-{next(_numbers)}.db").engine
        with engine.connect() as prepared:
            connection = prepared.connection.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            spent = seconds(lambda: insert(connection, ours.rows))
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (EVENTS,)
        engine.dispose()
        return EVENTS / spent

    return compare("durable append, 64 tasks", ours.rate, floor, wanted="at least", target=0.75, unit="events/s")


async def _append(ledger: Ledger, call: Sequence[Event]) -> float:
    async with Writer(ledger) as writer:

        async def task(number: int) -> None:
            stream, version = game_stream(f"bench-{number}"), 0
            for _ in range(CALLS):
                version = (await writer.append(stream, call, version)).version

        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(task(number) for number in range(TASKS)))
        return loop.time() - began


def insert(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]], batch: int = RAW_BATCH) -> None:
    """Insert rows by the driver alone, so many with each commit."""
    for start in range(0, len(rows), batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(RAW_INSERT, rows[start : start + batch])
        connection.execute("COMMIT")


def _one_call(folder: Path) -> list[Event]:
    """A round with its four predictions, taken from a real game."""
    ledger = empty_ledger(folder / f"call-{next(_numbers)}.db")
    fill_with_games(ledger, 500)
    events = [ledger.decode(entry) for entry in ledger.read(limit=500)]
    ledger.engine.dispose()
    for index, event in enumerate(events):
        call = events[index : index + EVENTS_A_CALL]
        if isinstance(event, RoundPlayed) and all(isinstance(one, PredictionMade) for one in call[1:]):
            return call
    raise AssertionError("no round with predictions among the first games")


def commit_seconds(folder: Path) -> float:
    """The median time of a bare durable commit of five rows, in the ledger's own table with its triggers."""
    return statistics.median(_commits(folder, EVENTS_A_CALL, time.perf_counter))


def commit_cpu_seconds(folder: Path, rounds: int) -> float:
    """The CPU of a bare durable commit of five rows for each of so many rounds, the mean."""
    return statistics.mean(_commits(folder, rounds * EVENTS_A_CALL, time.thread_time))


def _commits(folder: Path, rows_each: int, clock: Callable[[], float]) -> list[float]:
    """What each of COMMITS takes, by a clock."""
    written = empty_ledger(folder / f"events-{next(_numbers)}.db")
    fill_with_games(written, COMMITS * rows_each)
    rows = [tuple(entry) for page in written.pages() for entry in page][: COMMITS * rows_each]
    written.engine.dispose()
    engine = empty_ledger(folder / f"commits-{next(_numbers)}.db").engine
    spent = []
    with engine.connect() as prepared:
        connection = prepared.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        for start in range(0, len(rows), rows_each):
            began = clock()
            insert(connection, rows[start : start + rows_each])
            spent.append(clock() - began)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (COMMITS * rows_each,)
    engine.dispose()
    return spent
