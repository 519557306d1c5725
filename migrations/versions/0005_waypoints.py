"""Waypoints: states of the projections along the way, from which a past state is folded."""

from ledger.engines.dialects import execute

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE = """
CREATE TABLE projection_waypoints (
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    chain_hash BLOB NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (position, name)
) STRICT"""

POSTGRESQL = """
CREATE TABLE projection_waypoints (
    position BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    settings TEXT COLLATE "C" NOT NULL,
    chain_hash BYTEA NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (position, name)
)"""


def upgrade() -> None:
    """Lead forward; waypoints are laid as events are folded, and by looks at the past."""
    execute(sqlite=[SQLITE], postgresql=[POSTGRESQL])
