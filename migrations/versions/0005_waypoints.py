"""Waypoints: states of the projections along the way, from which a past state is folded."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lead forward; waypoints are laid as events are folded, and by looks at the past."""
    op.execute("""
CREATE TABLE projection_waypoints (
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    chain_hash BLOB NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (position, name)
) STRICT""")
