"""Durable appends through the public API against the floor: bare sqlite3, same table, same pragmas."""

import asyncio
import itertools
import sqlite3
import statistics
from functools import partial
from pathlib import Path

import uvloop

from bench.ledgers import empty_ledger, fill_with_games
from bench.scenario import Outcome, compare, seconds
from ledger.events import Event, PredictionMade, RoundPlayed
from ledger.store import Entry, Ledger
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


def scenario(folder: Path) -> Outcome:
    """64 tasks, five events a call, against `executemany` in batches of 100."""
    template = _one_call(folder)
    numbers = itertools.count()
    rows: list[tuple[object, ...]] = []

    def ours() -> float:
        ledger = empty_ledger(folder / f"append-{next(numbers)}.db")
        spent = uvloop.run(_append(ledger, template))
        assert ledger.head().position == EVENTS
        rows[:] = map(tuple, ledger.read(limit=EVENTS))
        ledger.engine.dispose()
        return EVENTS / spent

    def floor() -> float:
        engine = empty_ledger(folder / f"append-{next(numbers)}.db").engine
        with engine.connect() as prepared:
            connection = prepared.connection.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            spent = seconds(lambda: _insert(connection, rows))
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (EVENTS,)
        engine.dispose()
        return EVENTS / spent

    return compare("durable append, 64 tasks", ours, floor, wanted="at least", target=0.6, unit="events/s")


async def _append(ledger: Ledger, template: list[Event]) -> float:
    async with Writer(ledger) as writer:

        async def task(number: int) -> None:
            stream, version = game_stream(f"bench-{number}"), 0
            for _ in range(CALLS):
                version = (await writer.append(stream, template, version)).version

        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(task(number) for number in range(TASKS)))
        return loop.time() - began


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    for start in range(0, len(rows), RAW_BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(RAW_INSERT, rows[start : start + RAW_BATCH])
        connection.execute("COMMIT")


def _one_call(folder: Path) -> list[Event]:
    """A round with its four predictions, taken from a real game."""
    ledger = empty_ledger(folder / "template.db")
    fill_with_games(ledger, 500)
    events = [ledger.decode(entry) for entry in ledger.read(limit=500)]
    for index, event in enumerate(events):
        call = events[index : index + EVENTS_A_CALL]
        if isinstance(event, RoundPlayed) and all(isinstance(one, PredictionMade) for one in call[1:]):
            return call
    raise AssertionError("no round with predictions among the first games")


def commit_seconds(folder: Path) -> float:
    """The median time of a bare durable commit of five rows, in the ledger's own table with its triggers."""
    number = next(_numbers)
    written = empty_ledger(folder / f"events-{number}.db")
    fill_with_games(written, COMMITS * EVENTS_A_CALL)
    rows = [tuple(entry) for entry in written.read(limit=COMMITS * EVENTS_A_CALL)]
    written.engine.dispose()
    engine = empty_ledger(folder / f"commits-{number}.db").engine
    with engine.connect() as prepared:
        connection = prepared.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        spent = [
            seconds(partial(_insert, connection, rows[start : start + EVENTS_A_CALL]))
            for start in range(0, len(rows), EVENTS_A_CALL)
        ]
    engine.dispose()
    return statistics.median(spent)
