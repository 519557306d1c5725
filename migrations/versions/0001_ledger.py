"""The event log with its triggers, the read models' tables and the players' names."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    payload BLOB NOT NULL,
    chain_hash BLOB NOT NULL,
    CONSTRAINT ck_events_chain_hash CHECK (length(chain_hash) = 32),
    CONSTRAINT uq_events_event_id UNIQUE (event_id),
    CONSTRAINT uq_events_stream_version UNIQUE (stream, version)
) STRICT
""",
    """
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no update');
END""",
    """
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no delete');
END""",
    """
CREATE TRIGGER events_demand_order BEFORE INSERT ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: position must be the next one')
    WHERE NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events);
    SELECT raise(ABORT, 'events are append-only: version must be the next one of the stream')
    WHERE NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream);
    SELECT raise(ABORT, 'events are append-only: event id is taken')
    WHERE EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id);
END""",
    """
CREATE TABLE projection_checkpoints (
    name TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    chain_hash BLOB NOT NULL
) STRICT
""",
    """
CREATE TABLE projection_snapshots (
    name TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    position INTEGER NOT NULL,
    chain_hash BLOB NOT NULL,
    state BLOB NOT NULL
) STRICT
""",
    """
CREATE TABLE promotion_history (
    id INTEGER NOT NULL PRIMARY KEY,
    recorded_us INTEGER NOT NULL,
    model_type TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    decision TEXT NOT NULL,
    z_statistic REAL,
    p_value REAL,
    production_wins INTEGER,
    production_total_games INTEGER,
    b_wins INTEGER,
    b_total_games INTEGER,
    production_games_since_swap INTEGER NOT NULL,
    b_games_since_swap INTEGER NOT NULL,
    promotion_cycles_since_swap INTEGER NOT NULL,
    reorder_applied INTEGER NOT NULL,
    applied INTEGER,
    rule TEXT,
    alpha TEXT,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    detail BLOB NOT NULL
) STRICT
""",
    "CREATE INDEX ix_promotion_history_model_type ON promotion_history (model_type, id)",
    "CREATE INDEX ix_promotion_history_decision ON promotion_history (decision, id)",
    "CREATE INDEX ix_promotion_history_recorded_us ON promotion_history (recorded_us)",
    "CREATE TABLE players (player_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT",
)


def upgrade() -> None:
    """Lead forward; there is no way back, because an append-only log has none."""
    for statement in STATEMENTS:
        op.execute(statement)
