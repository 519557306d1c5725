"""The ledger's id: made here for a new ledger, and for one from before."""

from alembic import op

from ledger.ids import new_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
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


def upgrade() -> None:
    """Lead forward; a ledger without its id could be taken for any other."""
    for statement in STATEMENTS:
        op.execute(statement)
    op.execute(f"INSERT INTO ledger_identity VALUES ('{new_id()}')")
