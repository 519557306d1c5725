"""${message}"""

from alembic import op
import sqlalchemy as sa

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lead forward; there is no way back, because an append-only log has none."""
    ${upgrades if upgrades else "pass"}
