"""Many append, several read along: nothing is skipped, repeated or reordered, and no lock comes too late.

Each promise is tried with a way of doing it that breaks it, too: a test that could not fail would prove nothing.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from ledger.appends import Receipt
from ledger.engines import postgresql_queries as queries
from ledger.engines.database import disposing, open_engine
from ledger.engines.postgresql import BoundedConnection
from ledger.errors import LedgerError, StorageError
from ledger.store import Ledger
from tests.builders import round_played
from tests.ledger.chains import assert_intact
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import EVERY_ENGINE, WHEEL, Server

WRITERS, TAILERS, APPENDS = 16, 3, 25
EMPTY_SECONDS = 0.0005
ONLY_SERVER = pytest.mark.engines(WHEEL)


class RolledBackError(Exception):
    """Not the database's own: an append that ends half-way."""


class Log(Protocol):
    """A log to which many append, and which several read along."""

    def append(self, writer: int, number: int) -> None: ...

    def read(self, after: int) -> list[int]:
        """Positions after one, in order."""
        ...


def unsteady(rng: random.Random) -> None:
    """What a tenth of the transactions meets between their first statement and their commit."""
    chance = rng.random()
    if chance < 0.1:
        raise RolledBackError
    if chance < 0.2:
        time.sleep(0.004)


def tail(log: Log) -> list[list[int]]:
    """Have WRITERS append and TAILERS read along to the end; returns what each of these has read."""
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(APPENDS):
            log.append(writer, number)

    def follow() -> list[int]:
        read: list[int] = []
        while True:
            ended = done.is_set()
            page = log.read(read[-1] if read else 0)
            read += page
            if ended and not page:
                return read
            if not page:
                time.sleep(EMPTY_SECONDS)  # or they would keep the interpreter from the writer that has the lock

    with ThreadPoolExecutor(WRITERS + TAILERS) as pool:
        tailers = [pool.submit(follow) for _ in range(TAILERS)]
        writers = [pool.submit(write, writer) for writer in range(WRITERS)]
        try:
            for one in writers:
                one.result(PATIENCE_SECONDS)
        finally:
            done.set()
        return [one.result(PATIENCE_SECONDS) for one in tailers]


class LedgerLog:
    """The ledger, with a clock that fails and dawdles where events are numbered, under the lock."""

    def __init__(self, url: str) -> None:
        self.engines = [open_engine(url) for _ in range(4)]
        self.reader = Ledger(self.engines[0])
        self.rolled_back = 0

    def append(self, writer: int, number: int) -> None:
        rng = random.Random(writer * APPENDS + number)

        def clock() -> float:
            unsteady(rng)
            return 1.0

        ledger = Ledger(self.engines[writer % len(self.engines)], clock=clock)
        try:
            ledger.append(f"game-{writer}", [round_played()] * (1 + number % 3), None)
        except RolledBackError:
            self.rolled_back += 1

    def read(self, after: int) -> list[int]:
        return [entry.position for entry in self.reader.read(after)]


class SerialLog:
    """Positions from a sequence, as most logs on PostgreSQL have them: it hands them out, not the commit."""

    def __init__(self, server: Server, database: str) -> None:
        self._server, self._database = server, database
        self._local = threading.local()
        self._connected: list[psycopg.Connection[tuple[int]]] = []
        server.execute("CREATE TABLE serial_log (position BIGSERIAL PRIMARY KEY)", database=database)

    def append(self, writer: int, number: int) -> None:
        rng = random.Random(writer * APPENDS + number)
        try:
            with self._connection().transaction():
                self._connection().execute("INSERT INTO serial_log DEFAULT VALUES")
                unsteady(rng)
        except RolledBackError:
            pass

    def read(self, after: int) -> list[int]:
        query = "SELECT position FROM serial_log WHERE position > %s ORDER BY position"
        return [position for (position,) in self._connection().execute(query, (after,))]

    def committed(self) -> list[int]:
        return self.read(0)

    def close(self) -> None:
        for connection in self._connected:
            connection.close()

    def _connection(self) -> psycopg.Connection[tuple[int]]:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._server.connect(self._database)
            self._connected.append(self._local.connection)
        connection: psycopg.Connection[tuple[int]] = self._local.connection
        return connection


@EVERY_ENGINE
def test_tailers_read_everything_once_and_in_order(database: str) -> None:
    log = LedgerLog(database)
    try:
        read = tail(log)
        entries = [entry for page in log.reader.pages() for entry in page]
    finally:
        for engine in log.engines:
            engine.dispose()

    assert log.rolled_back
    assert len(entries) > WRITERS * APPENDS
    assert read == [list(range(1, len(entries) + 1))] * TAILERS
    assert_intact(entries)


def test_tailers_of_a_sequence_skip_what_was_committed_late(postgresql: Server) -> None:
    database = postgresql.new_database()
    log = SerialLog(postgresql, database)
    try:
        read = tail(log)
        committed = log.committed()
    finally:
        log.close()
        postgresql.drop(database)

    assert any(set(committed) - set(one) for one in read)


@pytest.fixture
def meeting(database: str, postgresql: Server) -> "Meeting":
    """Two appends of which the second asks for the lock while the first one has it."""

    def meet() -> list[Receipt | LedgerError]:
        with disposing(open_engine(database)) as engine, ThreadPoolExecutor(2) as pool:
            started: list[Future[Receipt]] = []
            second = Ledger(engine, resend_seconds=0)

            def clock() -> float:
                if not started:
                    started.append(pool.submit(second.append, "game-2", [round_played()], 0))
                    await_waiter(postgresql, str(engine.url.database), started[0])
                return 1.0

            first = Ledger(engine, clock=clock, resend_seconds=0)
            appends = pool.submit(first.append, "game-1", [round_played()], 0), None
            outcomes = [outcome_of(appends[0])]
            return [*outcomes, *map(outcome_of, started)]

    return meet


def await_waiter(server: Server, database: str, append: "Future[Receipt]") -> None:
    """Wait until the append waits for a lock, or has ended without one."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + PATIENCE_SECONDS
    with server.connect(database) as connection:
        while time.monotonic() < deadline and not append.done():
            row = connection.execute(query, (database,)).fetchone()
            if row and row[0]:
                return
            time.sleep(0.005)


def outcome_of(future: "Future[Receipt]") -> Receipt | LedgerError:
    try:
        return future.result(PATIENCE_SECONDS)
    except LedgerError as error:
        return error


Meeting = Callable[[], list[Receipt | LedgerError]]


@ONLY_SERVER
def test_two_appends_that_meet_come_one_after_the_other(meeting: Meeting) -> None:
    assert [one.first_position for one in meeting() if isinstance(one, Receipt)] == [1, 2]


@ONLY_SERVER
def test_a_lock_that_is_taken_after_the_head_is_read_comes_too_late(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = queries.Queries.look

    def late(self: queries.Queries, connection: Connection, *arguments: object) -> object:
        driver = connection.connection.driver_connection
        assert isinstance(driver, BoundedConnection)
        assert driver.trips is not None
        driver.trips.ask(b"BEGIN")
        driver.trips.ask(b"SELECT position, chain_hash, recorded_us FROM events ORDER BY position DESC LIMIT 1")
        stale = next(iter(driver.trips.rows(driver.trips.answers()[-1])), None)
        monkeypatch.setattr(queries, "_BEGIN_WRITING", "SELECT 1")
        _, versions, known = look(self, connection, *arguments)  # type: ignore[arg-type]
        return stale, versions, known

    monkeypatch.setattr(queries.Queries, "look", late)

    assert any(isinstance(one, StorageError) for one in meeting())


@ONLY_SERVER
def test_a_snapshot_that_is_older_than_the_lock_is_too_old(
    meeting: Meeting, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_BEGIN_WRITING", "BEGIN ISOLATION LEVEL REPEATABLE READ")

    assert any(isinstance(one, StorageError) for one in meeting())
    assert len(Ledger(engine).read()) < 2
