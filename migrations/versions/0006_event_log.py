"""A view of the log for people: payload and hash as text, the time as ISO 8601."""

from ledger.engines.dialects import execute

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQLITE = """
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

POSTGRESQL = """
CREATE VIEW event_log AS SELECT
    position,
    to_char(to_timestamp(0) AT TIME ZONE 'UTC' + recorded_us * interval '1 microsecond',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded,
    stream,
    version,
    type,
    schema_version,
    convert_from(payload, 'UTF8') AS payload,
    event_id,
    encode(chain_hash, 'hex') AS chain_hash
FROM events"""


def upgrade() -> None:
    """Lead forward; a view holds nothing."""
    execute(sqlite=[SQLITE], postgresql=[POSTGRESQL])
