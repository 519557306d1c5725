"""The log's tables, as SQLAlchemy Core, with the triggers that keep it append-only below the code.

Only the migrations make them in a database; a test proves that both say the same.
"""

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
)

metadata = MetaData()

events = Table(
    "events",
    metadata,
    # AUTOINCREMENT: SQLite then remembers the highest position ever given, so that a cut-off tail shows.
    Column("position", Integer, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("recorded_us", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    UniqueConstraint("event_id", name="uq_events_event_id"),
    UniqueConstraint("stream", "version", name="uq_events_stream_version"),
    CheckConstraint("length(chain_hash) = 32", name="ck_events_chain_hash"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# INSERT OR REPLACE deletes without firing a DELETE trigger; the third trigger leaves it nothing to replace.
TRIGGERS = {
    "events_refuse_update": """
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no update');
END""",
    "events_refuse_delete": """
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no delete');
END""",
    "events_demand_order": """
CREATE TRIGGER events_demand_order BEFORE INSERT ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: position must be the next one')
    WHERE NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events);
    SELECT raise(ABORT, 'events are append-only: version must be the next one of the stream')
    WHERE NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream);
    SELECT raise(ABORT, 'events are append-only: event id is taken')
    WHERE EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id);
END""",
    "seals_refuse_update": """
CREATE TRIGGER seals_refuse_update BEFORE UPDATE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no update');
END""",
    "seals_refuse_delete": """
CREATE TRIGGER seals_refuse_delete BEFORE DELETE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no delete');
END""",
    "seals_demand_order": """
CREATE TRIGGER seals_demand_order BEFORE INSERT ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: a seal must cover more than the one before')
    WHERE NEW.size <= (SELECT coalesce(max(size), 0) FROM seals);
END""",
    "identity_refuse_update": """
CREATE TRIGGER identity_refuse_update BEFORE UPDATE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no update');
END""",
    "identity_refuse_delete": """
CREATE TRIGGER identity_refuse_delete BEFORE DELETE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no delete');
END""",
    "identity_demand_one": """
CREATE TRIGGER identity_demand_one BEFORE INSERT ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger has one id')
    WHERE EXISTS (SELECT 1 FROM ledger_identity);
END""",
}

# A signed checkpoint of the first `size` events, and the compact range from which the next goes on.
seals = Table(
    "seals",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, key="checkpoint", nullable=False),
    Column("edge", LargeBinary, key="compact_range", nullable=False),
    sqlite_strict=True,
)

# One row, made with the table: a start knows the ledger by it.
ledger_identity = Table(
    "ledger_identity",
    metadata,
    Column("ledger_id", Text, primary_key=True, nullable=False),
    sqlite_strict=True,
)

# For people with a database tool: payload and hash as text, the time as ISO 8601. Nothing of ours reads it.
EVENT_LOG = """
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
FROM events"""

_GUARDED = {"events": events, "seals": seals, "identity": ledger_identity}

for name, trigger in TRIGGERS.items():
    guarded = _GUARDED[name.partition("_")[0]]
    event.listen(guarded, "after_create", DDL(trigger))  # type: ignore[no-untyped-call]

event.listen(events, "after_create", DDL(EVENT_LOG.replace("%", "%%")))  # type: ignore[no-untyped-call]
