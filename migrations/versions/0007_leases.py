"""Leases: which of several processes does a job now."""

from ledger.engines.dialects import execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQLITE = """
CREATE TABLE leases (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT"""

POSTGRESQL = """
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (name)
)"""


def upgrade() -> None:
    """Lead forward; no lease is taken before."""
    execute(sqlite=[SQLITE], postgresql=[POSTGRESQL])
