"""What the ledger asks of PostgreSQL in words that no other database knows."""

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Final, Self, cast

from psycopg import Connection as DriverConnection
from psycopg import Cursor, Pipeline
from psycopg import Error as DriverError
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.string import ByteaBinaryLoader
from sqlalchemy import Column, ColumnElement, Connection, Engine, Insert, Select, func, select, update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from ledger.engines.beside import Beside
from ledger.engines.options import DEFERRED, WRITE
from ledger.engines.postgresql_pages import read_pages
from ledger.errors import UnavailableError
from ledger.guards import FUNCTIONS, GUARDS, Guard
from ledger.schema import events, ledger_head, ledger_identity

# Each statement must see what was committed until the lock was had. A transaction that has its snapshot before
# would number its events from a head that is none any more.
_BEGIN_WRITING: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# The number of a table is its schema's own, and a lock would otherwise be every schema's of the database. At the
# transaction's end it is free, also where a pooler or a crash comes between.
_LOCK: Final = "SELECT pg_advisory_xact_lock('{}'::regclass::bigint)"
_LOCK_EVENTS: Final = _LOCK.format(events.name)
_LINGER: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"
_LOCK_SCHEMA: Final = """
SELECT pg_advisory_xact_lock('pg_namespace'::regclass::int, current_schema()::regnamespace::oid::int)"""

_NAMES: Final = ", ".join(column.name for column in events.columns)
# One statement of two: each one more is a twentieth of an append's time. One seek for each stream, in their order.
_HEAD_AND_VERSIONS: Final = """
SELECT position, chain_hash, recorded_us, ARRAY(
    SELECT (SELECT version FROM events WHERE stream = name ORDER BY version DESC LIMIT 1)
    FROM unnest(%b::text[]) WITH ORDINALITY AS asked (name, number) ORDER BY number
) FROM events ORDER BY position DESC LIMIT 1"""
_KNOWN: Final = f"SELECT {_NAMES} FROM events WHERE event_id = ANY(%b::text[])"
_INSERT: Final = f"""
INSERT INTO events ({_NAMES}) SELECT * FROM unnest(
    %b::int8[], %b::text[], %b::text[], %b::int8[], %b::text[], %b::int8[], %b::int8[], %b::bytea[], %b::bytea[]
)"""
_COPY: Final = f"COPY events ({_NAMES}) FROM STDIN (FORMAT BINARY)"
_COPIED: Final[dict[type[Any], str]] = {int: "int8", str: "text", bytes: "bytea"}
# Written to the log and to no table: what a standby confirms of it, it confirms of all commits before.
_SETTLE: Final = "SELECT pg_logical_emit_message(true, 'promotion-ledger', '')"

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
_BITS: Final = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


_SIZE: Final = struct.Struct(">i")


class _Array(bytes):
    """An array as the server reads it: the driver would convert it one element after the other, in Python."""

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """The array of these values."""
        raise NotImplementedError


class _Numbers(_Array):
    """Of type int8[]."""

    @classmethod
    def of(cls, values: Sequence[int]) -> Self:
        return cls(_header(20, len(values)) + struct.pack(f">{'iq' * len(values)}", *_sized(values)))


class _Texts(_Array):
    """Of type text[]."""

    @classmethod
    def of(cls, values: Sequence[str]) -> Self:
        return cls(_header(25, len(values)) + _joined([text.encode() for text in values]))


class _Blobs(_Array):
    """Of type bytea[]."""

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Self:
        return cls(_header(17, len(values)) + _joined(values))


def _header(element: int, length: int) -> bytes:
    """One dimension, no nulls, counted from 1."""
    return struct.pack(">iiIii", 1, 0, element, length, 1) if length else struct.pack(">iiI", 0, 0, element)


def _sized(numbers: Sequence[int]) -> Iterator[int]:
    return chain.from_iterable(zip(repeat(8), numbers, strict=False))


def _joined(values: Sequence[bytes]) -> bytes:
    """Each behind its size. Ids and hashes have all the same one, and an append holds the log's lock meanwhile."""
    lengths = list(map(len, values))
    if lengths and lengths.count(lengths[0]) == len(lengths):
        size = _SIZE.pack(lengths[0])
        return size + size.join(values)
    return b"".join(chain.from_iterable(zip(map(_SIZE.pack, lengths), values, strict=True)))


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return cast(Buffer, obj)


class _NumbersDumper(_ArrayDumper):
    oid = 1016


class _TextsDumper(_ArrayDumper):
    oid = 1009


class _BlobsDumper(_ArrayDumper):
    oid = 1001


_DUMPERS: Final = {_Numbers: _NumbersDumper, _Texts: _TextsDumper, _Blobs: _BlobsDumper}
_COLUMNS: Final[tuple[type[_Array], ...]] = (
    _Numbers,
    _Texts,
    _Texts,
    _Numbers,
    _Texts,
    _Numbers,
    _Numbers,
    _Blobs,
    _Blobs,
)
"""The array of each column of the events."""


def register_arrays(connection: DriverConnection[Any]) -> None:
    """Have a connection know the arrays of this room."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)


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

    def has_tables(self, engine: Engine) -> bool:
        """Whether there are the tables of a ledger; others may stand beside them."""
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT to_regclass('events') IS NOT NULL").scalar_one() is True

    def begun(self, connection: Connection) -> AbstractContextManager[object]:
        """A transaction that appends. `look` begins it, in the trip in which it takes the lock."""
        return connection.execution_options(**{WRITE: (events.name,), DEFERRED: True}).begin()

    @contextmanager
    def appending(self, connection: Connection) -> Iterator[None]:
        """Have `look` and `insert` take a trip each: what is executed between them is answered at the end.

        One pipeline for both, because of what its end does to the server's clock; see `_execute_all`.
        """
        driver = _driver(connection)
        driver.is_unconfirmed = False
        with _own_pipeline(driver) as driver.shared_pipeline:
            try:
                yield
            finally:
                driver.shared_pipeline = None
        if driver.is_unconfirmed:
            raise UnavailableError("PostgreSQL has stored the events here, and no standby has confirmed them")

    def look(
        self, connection: Connection, streams: Sequence[str], ids: Sequence[str]
    ) -> tuple[Sequence[Any] | None, dict[str, int], list[Sequence[Any]]]:
        """The newest event, the version of each stream that exists, and the events that have one of the ids.

        In a transaction that is deferred it takes the lock in the same trip, and not before: a head that was read
        without it is another one by now.
        """
        driver = _driver(connection)
        with _pipeline(driver) as pipeline:
            if connection.get_execution_options().get(DEFERRED, False):
                # One cursor, as its results are of no interest: to make one takes as long as what it is used for.
                cursor = driver.cursor()
                cursor.execute(_BEGIN_WRITING)
                cursor.execute(_LOCK_EVENTS)
            found = driver.execute(_HEAD_AND_VERSIONS, (_Texts.of(streams),))
            known = driver.execute(_KNOWN, (_Texts.of(ids),)) if ids else None
            pipeline.sync()
        row = found.fetchone()
        if row is None:
            return None, {}, []
        *head, versions = row
        pairs = zip(streams, versions, strict=True)
        return head, {stream: version for stream, version in pairs if version}, known.fetchall() if known else []

    def insert(
        self, connection: Connection, rows: Sequence[tuple[object, ...]], besides: Sequence[Beside]
    ) -> None:
        """Insert the rows with one statement, execute what stands beside them, and commit."""
        if not (rows or besides):
            return
        cursor = _driver(connection).cursor()
        if rows:
            columns = zip(*rows, strict=True)
            values = [kind.of(column) for kind, column in zip(_COLUMNS, columns, strict=True)]
            cursor.execute(_INSERT, values)
        for table in sorted({beside.statement.table.name for beside in besides}):
            cursor.execute(_LOCK.format(table))
        for beside in besides:
            cursor.execute(_words(beside.statement), beside.values)
        cursor.execute("COMMIT")

    def extend(
        self,
        connection: Connection,  # noqa: ARG002
        chain_hash: bytes,  # noqa: ARG002
        versions: Mapping[str, int],  # noqa: ARG002
        rows: Sequence[tuple[object, ...]],  # noqa: ARG002
    ) -> bool:
        """Never: on a server other processes append too, and a head that is remembered is seldom the newest."""
        return False

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
        _driver(connection).execute(_SETTLE)

    def pages(
        self, connection: Connection, first: int, last: int, limit: int, *, as_stored: bool
    ) -> Generator[list[tuple[Any, ...]], None, None]:
        """The events at these positions, page by page."""
        return read_pages(connection, first, last, limit, as_stored=as_stored)

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


@lru_cache(maxsize=16)
def _words(statement: Insert) -> str:
    return str(statement.compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]


@contextmanager
def _pipeline(driver: Any) -> Iterator[Pipeline]:
    """The one in which the connection is, or one for the block."""
    if driver.shared_pipeline is not None:
        yield driver.shared_pipeline
        return
    with _own_pipeline(driver) as own:
        yield own


@contextmanager
def _own_pipeline(driver: Any) -> Iterator[Pipeline]:
    """A new one for the block.

    The driver logs what it meets while it ends one that has failed, with each connection that is lost; the failure
    itself says as much. So the pipeline ends first, and the failure is raised after it.
    """
    failure: DriverError | None = None
    try:
        with driver.pipeline() as pipeline:
            try:
                yield pipeline
            except DriverError as error:
                failure = error
    except DriverError as error:
        raise failure or error from None
    if failure is not None:
        raise failure


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
