"""How far the promotion events have been sent to the webhook's receiver."""

from ledger.engines.dialects import execute

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQLITE = """
CREATE TABLE webhook_checkpoint (
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT"""

POSTGRESQL = """
CREATE TABLE webhook_checkpoint (
    name TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (name)
)"""


def upgrade() -> None:
    """Lead forward; nothing was sent before."""
    execute(sqlite=[SQLITE], postgresql=[POSTGRESQL])
