"""What a migration says to each kind of database."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text


def execute(*, sqlite: Sequence[str] = (), postgresql: Sequence[str] = ()) -> None:
    """Execute the statements that are for the database at hand; each kind has its own."""
    for statement in {"sqlite": sqlite, "postgresql": postgresql}[op.get_bind().dialect.name]:
        op.execute(text(statement.replace(":", "\\:")))
