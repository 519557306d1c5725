"""What the ledger asks of SQLite in words that no other database knows."""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Insert,
    LargeBinary,
    Select,
    update,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from ledger.engines.beside import Beside
from ledger.errors import LeftOutError
from ledger.guards import GUARDED
from ledger.guards import SQLITE as TRIGGERS
from ledger.schema import events, ledger_identity

INSERT_ROWS_MAX = 64
EXTENSION_ROWS_MAX = 48
"""Eight rounds with their predictions, and the ends of games."""
DAMAGES_MAX = 10
PAGES_A_STEP = 4_096

# Opens every append, in one row because the driver lets go of the interpreter at every step, and past Core, whose
# machinery around it would take longer than the database. One index seek for each stream: GROUP BY would walk
# through all versions of all of them.
_HEAD_AND_VERSIONS = """
SELECT position, chain_hash, recorded_us, (
    SELECT json_group_object(value, (SELECT max(version) FROM events WHERE stream = value)) FROM json_each(?)
) FROM events ORDER BY position DESC LIMIT 1"""
_SEQUENCE = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_STORED_TRIGGERS = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"

_NAMES = ", ".join(column.name for column in events.columns)
_KNOWN = f"SELECT {_NAMES} FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
_PAGE = f"SELECT {_NAMES} FROM events WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?"
_VALUES = f"({', '.join('?' * len(events.columns))})"
_INSERTS = [
    f"INSERT INTO events ({_NAMES}) VALUES {', '.join([_VALUES] * count)}" for count in range(INSERT_ROWS_MAX + 1)
]
"""The statement for each number of rows; together with those below not more than the driver keeps prepared."""

# A transaction by itself, which compares all that the rows take for granted: the newest event, and the versions of
# streams, an object of JSON.
_FOLLOWING = """
WHERE (SELECT chain_hash FROM events ORDER BY position DESC LIMIT 1) IS ? AND NOT EXISTS (
    SELECT 1 FROM json_each(?) WHERE value IS NOT (SELECT coalesce(max(version), 0) FROM events WHERE stream = key)
)"""
_EXTENSIONS = [
    f"INSERT INTO events ({_NAMES}) SELECT * FROM (VALUES {', '.join([_VALUES] * count)}){_FOLLOWING}"
    for count in range(EXTENSION_ROWS_MAX + 1)
]


class Queries:
    """See `ledger.engines.database.Database`."""

    clock_us = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
    own_tables: frozenset[str] = frozenset()
    extension_rows_max = EXTENSION_ROWS_MAX

    def has_tables(self, engine: Engine) -> bool:
        """Whether there is any table: a file is for a ledger alone."""
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").scalar() is not None

    @contextmanager
    def appending(self, connection: Connection) -> Iterator[None]:
        """A transaction that appends, and in which every statement goes to the driver.

        SQLAlchemy's way around a statement costs ten times what SQLite takes to execute a small one, and an append
        is four of them.
        """
        driver = _driver(connection)
        driver.execute("BEGIN IMMEDIATE")
        try:
            yield
            driver.commit()
        finally:
            if driver.in_transaction:
                driver.rollback()

    def look(
        self, connection: Connection, streams: Sequence[str], ids: Sequence[str]
    ) -> tuple[Sequence[Any] | None, dict[str, int], list[Sequence[Any]]]:
        """The newest event, the version of each stream that exists, and the events that have one of the ids."""
        row = _driver(connection).execute(_HEAD_AND_VERSIONS, (json.dumps(streams),)).fetchone()
        if row is None:
            return None, {}, []
        *head, versions = row
        known = _driver(connection).execute(_KNOWN, (json.dumps(ids),)).fetchall() if ids else []
        return head, {stream: version for stream, version in json.loads(versions).items() if version}, known

    def insert(
        self, connection: Connection, rows: Sequence[tuple[object, ...]], besides: Sequence[Beside]
    ) -> None:
        """Insert the rows, INSERT_ROWS_MAX a statement, and execute what stands beside them.

        The driver lets go of the interpreter at every step of a statement, and `executemany` makes one a row. On a
        busy event loop each of them is a wait for its turn: the writer spent four fifths of its time so.
        """
        driver, inserted = _driver(connection), 0
        for start in range(0, len(rows), INSERT_ROWS_MAX):
            some = rows[start : start + INSERT_ROWS_MAX]
            inserted += driver.execute(_INSERTS[len(some)], tuple(chain.from_iterable(some))).rowcount
        if inserted != len(rows):
            raise LeftOutError(inserted, len(rows))
        for statement, values in besides:
            driver.execute(_words(statement), dict(values))

    def extend(
        self,
        connection: Connection,
        chain_hash: bytes,
        versions: Mapping[str, int],
        rows: Sequence[tuple[object, ...]],
    ) -> bool:
        """Insert the rows if they follow on the event with this hash; False where they do not.

        Begin, look, insert and commit are one call. In each of four the driver would let go of the interpreter,
        and wait for its turn.
        """
        values = (*chain.from_iterable(rows), chain_hash, json.dumps(versions))
        return _driver(connection).execute(_EXTENSIONS[len(rows)], values).rowcount == len(rows)

    def load(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many events, as they stand in another database."""
        self.insert(connection, rows, ())

    def adopt(self, connection: Connection, ledger_id: str) -> None:
        """Give a ledger that has no event yet the id of the one that it is to be."""
        connection.exec_driver_sql("DROP TRIGGER identity_refuse_update")
        connection.execute(update(ledger_identity).values(ledger_id=ledger_id))
        connection.exec_driver_sql(TRIGGERS["identity_refuse_update"])

    def linger(self, connection: Connection) -> None:
        """A transaction may rest for as long as it likes."""

    def settle(self, connection: Connection) -> None:
        """What is committed is on the disk."""

    def pages(
        self,
        read: Callable[[], AbstractContextManager[Connection]],
        first: int,
        last: int,
        limit: int,
        *,
        as_stored: bool,
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        """The events at these positions, page by page. A caller who stops at one leaves nothing open."""
        while first <= last:
            with read() as connection, _text_as_bytes(connection) if as_stored else nullcontext():
                page = _rows(connection.exec_driver_sql(_PAGE, (first, last, limit)))
            if not page:
                return
            yield page
            first = page[-1][0] + 1

    def stored(self, connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
        """The rows that a query of events gives, with text as the bytes stored."""
        with _text_as_bytes(connection):
            return _rows(connection.execute(query))

    def bytes_of(self, column: Column[str]) -> ColumnElement[bytes]:
        """A column of text as the bytes that are stored."""
        return cast_to(column, LargeBinary)

    def remembered(self, connection: Connection) -> object:
        """The last position that was ever given, as AUTOINCREMENT keeps it: in a table that takes anything."""
        return connection.exec_driver_sql(_SEQUENCE).scalar()

    def copy(self, engine: Engine, target: Path) -> None:
        """Write a backup of all of it, consistent at one moment, to a file that exists and is empty."""
        with engine.connect() as connection, connection.begin(), closing(sqlite3.connect(target)) as copy:
            # In one transaction: without it every write of another process would start the copy again.
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
            _driver(connection).backup(copy, pages=PAGES_A_STEP)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file is the whole backup

    def damages(self, connection: Connection) -> Iterator[str]:
        """What SQLite finds wrong with its own file: pages, indexes against their tables, constraints."""
        for (message,) in connection.exec_driver_sql(f"PRAGMA integrity_check({DAMAGES_MAX})"):
            lines = str(message).splitlines()
            yield from (line for line in lines if line != "ok" and not line.startswith("***"))

    def unguarded(self, connection: Connection) -> Iterator[str]:
        """The triggers that are not as they should be."""
        stored = {row.name: row for row in connection.exec_driver_sql(_STORED_TRIGGERS)}
        for name, statement in TRIGGERS.items():
            if name not in stored:
                yield f"trigger {name} is missing"
            elif stored[name].sql != statement.strip():
                yield f"trigger {name} is changed"
        for name, row in stored.items():
            if name not in TRIGGERS and row.tbl_name.lower() in GUARDED:
                yield f"trigger {name} on {row.tbl_name} is none of the ledger's"


def _rows(result: CursorResult[Any]) -> list[tuple[Any, ...]]:
    """From the driver's cursor: a Row of SQLAlchemy's for each one on the way would be a fifth of a replay."""
    cursor = result.cursor
    assert cursor is not None
    return cast(list[tuple[Any, ...]], cursor.fetchall())


@lru_cache(maxsize=16)
def _words(statement: Insert) -> str:
    return str(statement.compile(dialect=SQLiteDialect(paramstyle="named")))


@contextmanager
def _text_as_bytes(connection: Connection) -> Iterator[None]:
    """Have the driver hand out text as it is stored; casting every column would take half as long again."""
    driver = _driver(connection)
    driver.text_factory = bytes
    try:
        yield
    finally:
        driver.text_factory = str


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
