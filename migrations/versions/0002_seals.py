"""Signed checkpoints of the log."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
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


def upgrade() -> None:
    """Lead forward; a log without its seals could be rewritten unseen."""
    for statement in STATEMENTS:
        op.execute(statement)
