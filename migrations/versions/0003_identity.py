"""The ledger's id: made here for a new ledger, and for one from before."""

from ledger.engines.dialects import execute
from ledger.ids import new_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE TABLE ledger_identity (ledger_id TEXT NOT NULL PRIMARY KEY) STRICT",
    """
CREATE TRIGGER identity_refuse_update BEFORE UPDATE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no update');
END""",
    """
CREATE TRIGGER identity_refuse_delete BEFORE DELETE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no delete');
END""",
    """
CREATE TRIGGER identity_demand_one BEFORE INSERT ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger has one id')
    WHERE EXISTS (SELECT 1 FROM ledger_identity);
END""",
)

POSTGRESQL = (
    'CREATE TABLE ledger_identity (ledger_id TEXT COLLATE "C" NOT NULL PRIMARY KEY)',
    "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    """
CREATE FUNCTION demand_one_identity() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $body$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_identity) THEN
        RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END$body$""",
    """
CREATE TRIGGER identity_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_identity
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a ledger keeps its id')""",
    """
CREATE TRIGGER identity_demand_one BEFORE INSERT ON ledger_identity
FOR EACH ROW EXECUTE FUNCTION demand_one_identity('a ledger has one id')""",
)


def upgrade() -> None:
    """Lead forward; a ledger without its id could be taken for any other."""
    execute(sqlite=SQLITE, postgresql=POSTGRESQL)
    birth = (f"INSERT INTO ledger_identity VALUES ('{new_id()}')",)
    execute(sqlite=birth, postgresql=birth)
