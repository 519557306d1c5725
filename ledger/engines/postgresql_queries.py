"""What the ledger asks of PostgreSQL in words that no other database knows."""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, Final, cast

from psycopg import Connection as DriverConnection
from psycopg import Cursor
from psycopg.types.string import ByteaBinaryLoader
from sqlalchemy import Column, ColumnElement, Connection, Engine, Insert, Select, func, select, update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from ledger.engines.beside import Beside
from ledger.engines.postgresql_arrays import blobs, numbers, texts
from ledger.engines.postgresql_pages import read_pages
from ledger.engines.postgresql_trips import Trips, travelling
from ledger.errors import LeftOutError, UnavailableError
from ledger.guards import FUNCTIONS, GUARDED, GUARDS, Guard
from ledger.schema import events, ledger_head, ledger_identity

# Each statement must see what was committed until the lock was had. A transaction that has its snapshot before
# would number its events from a head that is none any more.
_BEGIN_WRITING: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# The number of a table is its schema's own, and a lock would otherwise be every schema's of the database. At the
# transaction's end it is free, also where a pooler or a crash comes between.
_LOCK: Final = "SELECT pg_advisory_xact_lock('{}'::regclass::bigint)"
_LOCK_EVENTS: Final = _LOCK.format(events.name).encode()
_LINGER: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"
_LOCK_SCHEMA: Final = """
SELECT pg_advisory_xact_lock('pg_namespace'::regclass::int, current_schema()::regnamespace::oid::int)"""

_NAMES: Final = ", ".join(column.name for column in events.columns)
# One statement of two: each one more is a twentieth of an append's time. One seek for each stream, in their order.
_HEAD_AND_VERSIONS: Final = b"""
SELECT position, chain_hash, recorded_us, ARRAY(
    SELECT (SELECT version FROM events WHERE stream = name ORDER BY version DESC LIMIT 1)
    FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, number) ORDER BY number
) FROM events ORDER BY position DESC LIMIT 1"""
_KNOWN: Final = f"SELECT {_NAMES} FROM events WHERE event_id = ANY($1::text[])".encode()
_INSERT: Final = f"""
INSERT INTO events ({_NAMES}) SELECT * FROM unnest(
    $1::int8[], $2::text[], $3::text[], $4::int8[], $5::text[], $6::int8[], $7::int8[], $8::bytea[], $9::bytea[]
)""".encode()
# Of a transaction that has the lock, what `look` would find: the newest event, and the versions of streams.
_EXTENSION: Final = (
    _INSERT
    + b"""
WHERE (SELECT chain_hash FROM events ORDER BY position DESC LIMIT 1) = $10::bytea AND NOT EXISTS (
    SELECT FROM unnest($11::text[], $12::int8[]) AS asked (name, expected)
    WHERE expected <> coalesce((SELECT version FROM events WHERE stream = name ORDER BY version DESC LIMIT 1), 0)
)"""
)
_COPY: Final = f"COPY events ({_NAMES}) FROM STDIN (FORMAT BINARY)"
_COPIED: Final[dict[type[Any], str]] = {int: "int8", str: "text", bytes: "bytea"}
# Written to the log and to no table: what a standby confirms of it, it confirms of all commits before.
_SETTLE: Final = b"SELECT pg_logical_emit_message(true, 'promotion-ledger', '')"

_AMCHECK: Final = """
SELECT DISTINCT quote_ident(nspname) FROM pg_proc
JOIN pg_extension ON pronamespace = extnamespace JOIN pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname = 'amcheck' AND proname = 'verify_heapam' AND has_function_privilege(pg_proc.oid, 'execute')"""
_TABLES: Final = """
SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname"""
_INDEXES: Final = """
SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = current_schema()::regnamespace ORDER BY relname"""
_COUNTS: Final = ("position >= 0", "event_id >= ''", "stream >= ''")
_STORED_TRIGGERS: Final = """
SELECT tgname, relname, tgtype, tgenabled, tgnewtable, tgqual IS NULL, proname, prosrc, prosecdef
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"""
_STORED_RULES: Final = "SELECT rulename, tablename FROM pg_rules WHERE schemaname = current_schema()"
_BITS: Final = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


# Of each column of the events.
_ARRAYS: Final[tuple[Callable[..., bytes], ...]] = (
    numbers, texts, texts, numbers, texts, numbers, numbers, blobs, blobs,
)  # fmt: skip


def begin_reading(driver: DriverConnection[Any]) -> None:
    """Begin a transaction that sees one state of the database."""
    driver.execute(_BEGIN_READING)


def begin_writing(driver: DriverConnection[Any], tables: Sequence[str]) -> None:
    """Begin a transaction that holds the tables' locks."""
    _execute_all(driver, _BEGIN_WRITING, *(_LOCK.format(table) for table in tables))


def begin_defining(driver: DriverConnection[Any]) -> None:
    """Begin a transaction that holds the lock of the schema, however long another one has it."""
    _execute_all(driver, _BEGIN_WRITING, "SET LOCAL lock_timeout = 0", _LINGER, _LOCK_SCHEMA)


def _execute_all(driver: DriverConnection[Any], *statements: str) -> None:
    """Execute statements in one trip.

    Not by the driver's pipeline: with the flush at its end the server forgets to count how long the transaction is
    idle, and the lock of a process that is frozen right there would never be free.
    """
    Cursor(driver).execute("; ".join(statements))


class Queries:
    """See `ledger.engines.database.Database`."""

    clock_us = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
    own_tables = frozenset({ledger_head.name})
    extension_rows_max = sys.maxsize

    def has_tables(self, engine: Engine) -> bool:
        """Whether there are the tables of a ledger; others may stand beside them."""
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT to_regclass('events') IS NOT NULL").scalar_one() is True

    @contextmanager
    def appending(self, connection: Connection) -> Iterator[None]:
        """A transaction that appends, in two trips: `look` begins it and takes the lock, `insert` ends it."""
        driver = _driver(connection)
        driver.is_unconfirmed = False
        driver.answer_seconds = driver.answer_seconds_max
        with travelling(connection, driver.prepared) as driver.trips:
            try:
                yield
            finally:
                driver.trips = None
        if driver.is_unconfirmed:
            raise UnavailableError("PostgreSQL has stored the events here, and no standby has confirmed them")

    def look(
        self, connection: Connection, streams: Sequence[str], ids: Sequence[str]
    ) -> tuple[Sequence[Any] | None, dict[str, int], list[tuple[Any, ...]]]:
        """The newest event, the version of each stream that exists, and the events that have one of the ids.

        In an append it takes the lock in the same trip, and not before: a head that was read without it is another
        one by now.
        """
        driver = _driver(connection)
        if driver.trips is None:
            with travelling(connection, driver.prepared) as trips:
                return _look(trips, streams, ids)
        driver.trips.ask(_BEGIN_WRITING.encode())
        driver.trips.ask(_LOCK_EVENTS)
        return _look(driver.trips, streams, ids)

    def insert(
        self, connection: Connection, rows: Sequence[tuple[object, ...]], besides: Sequence[Beside]
    ) -> None:
        """Insert the rows with one statement, execute what stands beside them, and commit."""
        trips = _driver(connection).trips
        if rows:
            trips.ask(_INSERT, _columns(rows))
        for table in sorted({beside.statement.table.name for beside in besides}):
            trips.ask(_LOCK.format(table).encode())
        for beside in besides:
            words, names = _words(beside.statement)
            trips.ask_plainly(words, [beside.values[name] for name in names])
        trips.ask(b"COMMIT")
        answers = trips.answers()
        if rows and (inserted := answers[0].command_tuples) != len(rows):
            raise LeftOutError(inserted or 0, len(rows))

    def extend(
        self,
        connection: Connection,
        chain_hash: bytes,
        versions: Mapping[str, int],
        rows: Sequence[tuple[object, ...]],
    ) -> bool:
        """Insert the rows if they follow on the event with this hash; False where they do not.

        In one trip, so that the lock is held for as long as the server takes, and no client is waited for.
        """
        with self.appending(connection):
            trips: Trips = _driver(connection).trips
            trips.ask(_BEGIN_WRITING.encode())
            trips.ask(_LOCK_EVENTS)
            provided = [texts(list(versions)), numbers(list(versions.values()))]
            trips.ask(_EXTENSION, [*_columns(rows), chain_hash, *provided])
            trips.ask(b"COMMIT")
            *_, inserted, _ = trips.answers()
        return inserted.command_tuples == len(rows)

    def load(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many events, as they stand in another database."""
        with _driver(connection).cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types([_COPIED[column.type.python_type] for column in events.columns])
            for row in rows:
                copy.write_row(row)

    def adopt(self, connection: Connection, ledger_id: str) -> None:
        """Give a ledger that has no event yet the id of the one that it is to be. For its tables' owner."""
        trigger = "ALTER TABLE ledger_identity {} TRIGGER identity_refuse_change"
        connection.exec_driver_sql(trigger.format("DISABLE"))
        connection.execute(update(ledger_identity).values(ledger_id=ledger_id))
        connection.exec_driver_sql(trigger.format("ENABLE"))

    def linger(self, connection: Connection) -> None:
        """Let the transaction rest between two statements for longer than a frozen process may."""
        connection.exec_driver_sql(_LINGER)

    def settle(self, connection: Connection) -> None:
        """Have the commit wait for the standbys, even where all of it turns out to be stored already."""
        _driver(connection).trips.ask(_SETTLE)

    def pages(
        self,
        read: Callable[[], AbstractContextManager[Connection]],
        first: int,
        last: int,
        limit: int,
        *,
        as_stored: bool,
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        """The events at these positions, page by page on one connection: the next page is asked for early."""
        with read() as connection:
            yield from read_pages(connection, first, last, limit, as_stored=as_stored)

    def stored(self, connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
        """The rows that a query of events gives, with text as the bytes stored."""
        compiled = query.compile(dialect=connection.dialect)
        cursor = _driver(connection).cursor()
        cursor.adapters.register_loader("text", ByteaBinaryLoader)
        cursor.execute(str(compiled), compiled.params)
        return cast(list[tuple[Any, ...]], cursor.fetchall())

    def bytes_of(self, column: Column[str]) -> ColumnElement[bytes]:
        """A column of text as the bytes that are stored."""
        return func.convert_to(column, "UTF8")

    def remembered(self, connection: Connection) -> int | None:
        """The last position that was ever given, as the trigger keeps it."""
        return connection.scalar(select(ledger_head.c.position))

    def damages(self, connection: Connection) -> Iterator[str]:
        """What PostgreSQL finds wrong with tables and indexes, by amcheck where this role may use it.

        An index that does not lead where it should is the driver's error.
        """
        schema = connection.exec_driver_sql(_AMCHECK).scalar()
        if schema is None:
            yield from _miscounts(connection)
            return
        for (oid,) in connection.exec_driver_sql(_TABLES).all():
            found = connection.exec_driver_sql(f"SELECT blkno, msg FROM {schema}.verify_heapam({oid}::regclass)")
            yield from (f"block {block} of table {oid}: {message}" for block, message in found)
        for (oid,) in connection.exec_driver_sql(_INDEXES).all():
            connection.exec_driver_sql(f"SELECT {schema}.bt_index_check({oid}::regclass, true)")

    def unguarded(self, connection: Connection) -> Iterator[str]:
        """The triggers that are not as they should be."""
        stored = {row.tgname: row for row in connection.exec_driver_sql(_STORED_TRIGGERS)}
        for name, guard in GUARDS.items():
            if name not in stored:
                yield f"trigger {name} is missing"
            elif _as_stored(guard) != tuple(stored[name])[1:]:
                yield f"trigger {name} is changed"
        for name, row in stored.items():
            if name not in GUARDS and row.relname in GUARDED:
                yield f"trigger {name} on {row.relname} is none of the ledger's"
        for rule in connection.exec_driver_sql(_STORED_RULES):
            if rule.tablename in GUARDED:
                yield f"rule {rule.rulename} on {rule.tablename} is none of the ledger's"


def _as_stored(guard: Guard) -> tuple[object, ...]:
    bits = sum(bit for word, bit in _BITS.items() if word in guard.when)
    added = "added" if " AS added " in guard.when else None
    body = FUNCTIONS[guard.function]
    return guard.table, bits, "O", added, True, guard.function, body, True


def _miscounts(connection: Connection) -> Iterator[str]:
    """Indexes that lead to fewer or more rows than the table has."""
    connection.exec_driver_sql("SET LOCAL enable_seqscan = on")
    whole = connection.exec_driver_sql("SELECT count(*) FROM events WHERE length(chain_hash) >= 0").scalar()
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    for condition in _COUNTS:
        found = connection.exec_driver_sql(f"SELECT count(*) FROM events WHERE {condition}").scalar()
        if found != whole:
            yield f"an index of events leads to {found} rows of {whole} (where {condition})"


def _columns(rows: Sequence[tuple[object, ...]]) -> list[bytes]:
    """The rows as arrays, one for each column."""
    return [array(column) for array, column in zip(_ARRAYS, zip(*rows, strict=True), strict=True)]


def _look(
    trips: Trips, streams: Sequence[str], ids: Sequence[str]
) -> tuple[Sequence[Any] | None, dict[str, int], list[tuple[Any, ...]]]:
    if ids:
        trips.ask(_KNOWN, [texts(ids)])
    trips.ask(_HEAD_AND_VERSIONS, [texts(streams)])
    *before, last = trips.answers()
    if not last.ntuples:
        return None, {}, []
    ((*head, versions),) = trips.rows(last)
    pairs = zip(streams, versions, strict=True)
    known = trips.rows(before[-1]) if ids else []
    return head, {stream: version for stream, version in pairs if version}, known


@lru_cache(maxsize=16)
def _words(statement: Insert) -> tuple[bytes, tuple[str, ...]]:
    """The statement, and the names of its parameters in their order."""
    compiled = statement.compile(dialect=PGDialect_psycopg(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]
    return str(compiled).encode(), tuple(compiled.positiontup or ())


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
