"""Signed checkpoints of the log."""

from ledger.engines.dialects import execute

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    """
CREATE TABLE seals (
    size INTEGER NOT NULL PRIMARY KEY,
    note BLOB NOT NULL,
    edge BLOB NOT NULL
) STRICT
""",
    """
CREATE TRIGGER seals_refuse_update BEFORE UPDATE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no update');
END""",
    """
CREATE TRIGGER seals_refuse_delete BEFORE DELETE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no delete');
END""",
    """
CREATE TRIGGER seals_demand_order BEFORE INSERT ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: a seal must cover more than the one before')
    WHERE NEW.size <= (SELECT coalesce(max(size), 0) FROM seals);
END""",
)

POSTGRESQL = (
    "CREATE TABLE seals (size BIGINT NOT NULL PRIMARY KEY, note BYTEA NOT NULL, edge BYTEA NOT NULL)",
    "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    """
CREATE FUNCTION demand_seal_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $body$
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM seals) THEN
        RAISE EXCEPTION '%: a seal must cover more than the one before', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END$body$""",
    """
CREATE TRIGGER seals_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('seals are append-only')""",
    """
CREATE TRIGGER seals_demand_order BEFORE INSERT ON seals
FOR EACH ROW EXECUTE FUNCTION demand_seal_order('seals are append-only')""",
)


def upgrade() -> None:
    """Lead forward; a log without its seals could be rewritten unseen."""
    execute(sqlite=SQLITE, postgresql=POSTGRESQL)
