"""A digest of the promotion history's rows in their checkpoint, so that a change by hand shows."""

from ledger.engines.dialects import execute

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lead forward; rows without a digest are folded again by the next start."""
    execute(
        sqlite=["ALTER TABLE projection_checkpoints ADD COLUMN rows_digest BLOB"],
        postgresql=["ALTER TABLE projection_checkpoints ADD COLUMN rows_digest BYTEA"],
    )
