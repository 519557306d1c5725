"""What a role may do that appends and reads, and does not own the tables: nothing that could change an event."""

from sqlalchemy import Engine, text

from ledger.engines.database import defining
from ledger.errors import LedgerError

GRANTS = {
    "SELECT, INSERT": ("events", "seals"),
    "SELECT": ("event_log", "ledger_identity", "ledger_head", "alembic_version"),
    "SELECT, INSERT, UPDATE, DELETE": (
        "leases",
        "players",
        "projection_checkpoints",
        "projection_snapshots",
        "projection_waypoints",
        "promotion_history",
        "webhook_checkpoint",
    ),
}
"""The tables of all packages by what the role may do with them."""


class NoRolesError(LedgerError):
    """The database knows no roles."""

    def __init__(self) -> None:
        super().__init__("a database file has no roles: whoever may write the file may write the ledger")


def grant(engine: Engine, role: str) -> None:
    """Let a role of PostgreSQL's that exists do what the service does. Raises NoRolesError, StorageError."""
    if engine.dialect.name != "postgresql":
        raise NoRolesError
    quote = engine.dialect.identifier_preparer.quote_identifier
    with defining(engine) as connection:
        schema = connection.scalar(text("SELECT current_schema()"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {quote(str(schema))} TO {quote(role)}"))
        for rights, tables in GRANTS.items():
            connection.execute(text(f"GRANT {rights} ON {', '.join(tables)} TO {quote(role)}"))
