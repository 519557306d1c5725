"""The event log with its triggers, the read models' tables and the players' names."""

from ledger.engines.dialects import execute

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQLITE = (
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

POSTGRESQL = (
    """
CREATE TABLE events (
    position BIGINT NOT NULL PRIMARY KEY,
    event_id TEXT COLLATE "C" NOT NULL,
    stream TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    chain_hash BYTEA NOT NULL,
    CONSTRAINT ck_events_chain_hash CHECK (length(chain_hash) = 32),
    CONSTRAINT uq_events_event_id UNIQUE (event_id),
    CONSTRAINT uq_events_stream_version UNIQUE (stream, version)
)""",
    """
CREATE TABLE ledger_head (
    one BOOLEAN DEFAULT true NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    CONSTRAINT ck_ledger_head_one CHECK (one)
)""",
    "INSERT INTO ledger_head (position) VALUES (0)",
    # What the functions are made with, until the transaction's end.
    "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $body$
BEGIN
    RAISE EXCEPTION '%: no %', TG_ARGV[0], lower(TG_OP) USING ERRCODE = 'integrity_constraint_violation';
END$body$""",
    """
CREATE FUNCTION demand_event_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $body$
DECLARE
    added_count bigint;
    first_position bigint;
    last_position bigint;
BEGIN
    SELECT count(*), min(position), max(position) INTO added_count, first_position, last_position FROM added;
    IF added_count = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE ledger_head SET position = last_position WHERE position = first_position - 1;
    IF NOT FOUND OR last_position - first_position + 1 <> added_count THEN
        RAISE EXCEPTION '%: position must be the next one', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM 1 FROM (
        SELECT stream, min(version) AS first, max(version) AS last, count(*) AS number FROM added GROUP BY stream
    ) AS one WHERE last - first + 1 <> number OR first <> 1 + coalesce((
        SELECT max(version) FROM events WHERE events.stream = one.stream AND events.version < one.first
    ), 0);
    IF FOUND THEN
        RAISE EXCEPTION '%: version must be the next one of the stream', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END$body$""",
    """
CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('events are append-only')""",
    """
CREATE TRIGGER events_demand_order AFTER INSERT ON events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION demand_event_order('events are append-only')""",
    """
CREATE TABLE projection_checkpoints (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    chain_hash BYTEA NOT NULL
)""",
    """
CREATE TABLE projection_snapshots (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    settings TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    chain_hash BYTEA NOT NULL,
    state BYTEA NOT NULL
)""",
    """
CREATE TABLE promotion_history (
    id BIGINT NOT NULL PRIMARY KEY,
    recorded_us BIGINT NOT NULL,
    model_type TEXT COLLATE "C" NOT NULL,
    cycle BIGINT NOT NULL,
    decision TEXT COLLATE "C" NOT NULL,
    z_statistic DOUBLE PRECISION,
    p_value DOUBLE PRECISION,
    production_wins BIGINT,
    production_total_games BIGINT,
    b_wins BIGINT,
    b_total_games BIGINT,
    production_games_since_swap BIGINT NOT NULL,
    b_games_since_swap BIGINT NOT NULL,
    promotion_cycles_since_swap BIGINT NOT NULL,
    reorder_applied BIGINT NOT NULL,
    applied BIGINT,
    rule TEXT COLLATE "C",
    alpha TEXT COLLATE "C",
    reason TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    detail BYTEA NOT NULL
)""",
    "CREATE INDEX ix_promotion_history_model_type ON promotion_history (model_type, id)",
    "CREATE INDEX ix_promotion_history_decision ON promotion_history (decision, id)",
    "CREATE INDEX ix_promotion_history_recorded_us ON promotion_history (recorded_us)",
    """
CREATE TABLE players (
    player_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL
)""",
)


def upgrade() -> None:
    """Lead forward; there is no way back, because an append-only log has none."""
    execute(sqlite=SQLITE, postgresql=POSTGRESQL)
