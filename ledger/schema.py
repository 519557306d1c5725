"""The log's tables, as SQLAlchemy Core, with the triggers that keep it append-only below the code.

Only the migrations make them in a database; a test proves that both say the same.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    insert,
    text,
    true,
)

from ledger import guards

Whole = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of 64 bits."""
Words = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and sorted by its bytes, whatever language the database was made for."""

metadata = MetaData()
postgresql_metadata = MetaData()
"""Tables that only PostgreSQL needs."""

events = Table(
    "events",
    metadata,
    # AUTOINCREMENT: SQLite then remembers the highest position ever given, so that a cut-off tail shows.
    Column("position", Whole, primary_key=True, autoincrement=False),
    Column("event_id", Words, nullable=False),
    Column("stream", Words, nullable=False),
    Column("version", Whole, nullable=False),
    Column("type", Words, nullable=False),
    Column("schema_version", Whole, nullable=False),
    Column("recorded_us", Whole, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    UniqueConstraint("event_id", name="uq_events_event_id"),
    UniqueConstraint("stream", "version", name="uq_events_stream_version"),
    CheckConstraint("length(chain_hash) = 32", name="ck_events_chain_hash"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# PostgreSQL's memory of how far the log has ever gone: one row, which the trigger moves.
ledger_head = Table(
    "ledger_head",
    postgresql_metadata,
    Column("one", Boolean, primary_key=True, server_default=true()),
    Column("position", Whole, nullable=False),
    CheckConstraint("one", name="ck_ledger_head_one"),
)

# A signed checkpoint of the first `size` events, and the compact range from which the next goes on.
seals = Table(
    "seals",
    metadata,
    Column("size", Whole, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, key="checkpoint", nullable=False),
    Column("edge", LargeBinary, key="compact_range", nullable=False),
    sqlite_strict=True,
)

# One row, made with the table: a start knows the ledger by it.
ledger_identity = Table(
    "ledger_identity",
    metadata,
    Column("ledger_id", Words, primary_key=True, nullable=False),
    sqlite_strict=True,
)

# For people with a database tool: payload and hash as text, the time as ISO 8601. Nothing of ours reads it.
EVENT_LOG = {
    "sqlite": """
CREATE VIEW event_log AS SELECT
    position,
    strftime('%Y-%m-%dT%H:%M:%S', recorded_us / 1000000, 'unixepoch')
        || printf('.%06dZ', recorded_us % 1000000) AS recorded,
    stream,
    version,
    type,
    schema_version,
    CAST(payload AS TEXT) AS payload,
    event_id,
    lower(hex(chain_hash)) AS chain_hash
FROM events""",
    "postgresql": """
CREATE VIEW event_log AS SELECT
    position,
    to_char(to_timestamp(0) AT TIME ZONE 'UTC' + recorded_us * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded,
    stream,
    version,
    type,
    schema_version,
    convert_from(payload, 'UTF8') AS payload,
    event_id,
    encode(chain_hash, 'hex') AS chain_hash
FROM events""",
}


@event.listens_for(metadata, "after_create")
def _guard(_metadata: MetaData, connection: Connection, **_: Any) -> None:
    connection.execute(text(EVENT_LOG[connection.dialect.name].replace(":", "\\:")))
    if connection.dialect.name == "sqlite":
        for trigger in guards.SQLITE.values():
            connection.execute(text(trigger))
        return
    postgresql_metadata.create_all(connection)
    connection.execute(insert(ledger_head).values(position=0))
    connection.execute(text(guards.FIX_SEARCH_PATH))
    for function in guards.FUNCTIONS:
        connection.execute(text(guards.make_function(function)))
    for guard in guards.GUARDS:
        connection.execute(text(guards.make_guard(guard)))
