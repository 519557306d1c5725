"""A view of the log for people: payload and hash as text, the time as ISO 8601."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

VIEW = """
CREATE VIEW event_log AS SELECT
    position,
    strftime('%Y-%m-%dT%H:%M:%S', recorded_us / 1000000, 'unixepoch')
        || printf('.%06dZ', recorded_us % 1000000) AS recorded,
    stream,
    version,
    type,
    schema_version,
    CAST(payload AS TEXT) AS payload,
    event_id,
    lower(hex(chain_hash)) AS chain_hash
FROM events"""


def upgrade() -> None:
    """Lead forward; a view holds nothing."""
    op.execute(VIEW)
