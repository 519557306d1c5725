"""The tables, as SQLAlchemy Core, with the triggers that keep the log append-only below the code.

Alembic's migrations are the only way in which a database gets them; a test proves that both say the same.
"""

from sqlalchemy import (
    DDL,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
)

REVISION = "0002"
"""The migration that leads to the tables below."""

# SQLite's STRICT tables know INTEGER, REAL, TEXT and BLOB alone.
_Int = BigInteger().with_variant(Integer(), "sqlite")
_Real: Double[float] = Double().with_variant(REAL(), "sqlite")
_Flag = Boolean().with_variant(Integer(), "sqlite")

metadata = MetaData()

events = Table(
    "events",
    metadata,
    # AUTOINCREMENT: SQLite then remembers the highest position ever given, so that a cut-off tail shows.
    Column("position", _Int, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("version", _Int, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema_version", _Int, nullable=False),
    Column("recorded_us", _Int, nullable=False),
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
}

# A signed checkpoint of the first `size` events, and the compact range from which the next goes on.
seals = Table(
    "seals",
    metadata,
    Column("size", _Int, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, key="checkpoint", nullable=False),
    Column("edge", LargeBinary, key="compact_range", nullable=False),
    sqlite_strict=True,
)

for name, trigger in TRIGGERS.items():
    guarded = seals if name.startswith("seals_") else events
    event.listen(guarded, "after_create", DDL(trigger).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]

projection_checkpoints = Table(
    "projection_checkpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", _Int, nullable=False),
    Column("position", _Int, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)

projection_snapshots = Table(
    "projection_snapshots",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", _Int, nullable=False),
    Column("settings", Text, nullable=False),
    Column("position", _Int, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_strict=True,
)

promotion_history = Table(
    "promotion_history",
    metadata,
    Column("id", _Int, primary_key=True, autoincrement=False),
    Column("recorded_us", _Int, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("cycle", _Int, nullable=False),
    Column("decision", Text, nullable=False),
    Column("z_statistic", _Real),
    Column("p_value", _Real),
    Column("production_wins", _Int),
    Column("production_total_games", _Int),
    Column("b_wins", _Int),
    Column("b_total_games", _Int),
    Column("production_games_since_swap", _Int, nullable=False),
    Column("b_games_since_swap", _Int, nullable=False),
    Column("promotion_cycles_since_swap", _Int, nullable=False),
    Column("reorder_applied", _Flag, nullable=False),
    Column("applied", _Flag),
    Column("rule", Text),
    Column("alpha", Text),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Index("ix_promotion_history_model_type", "model_type", "id"),
    Index("ix_promotion_history_decision", "decision", "id"),
    Index("ix_promotion_history_recorded_us", "recorded_us"),
    sqlite_strict=True,
)

players = Table(
    "players",
    metadata,
    Column("player_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    sqlite_strict=True,
)
