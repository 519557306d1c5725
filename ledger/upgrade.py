"""Bring a database to the newest migration, with Alembic, whose scripts are data to this package."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect, text

from ledger.engines.database import database_of, defining, transaction
from ledger.errors import SchemaError, StorageError

REVISION = "0009"
"""The newest migration."""
TABLES: Final = frozenset(
    {
        "events",
        "ledger_identity",
        "leases",
        "players",
        "projection_checkpoints",
        "projection_snapshots",
        "projection_waypoints",
        "promotion_history",
        "seals",
        "webhook_checkpoint",
    }
)
"""What a database at the newest migration has, on either engine."""


def current_revision(engine: Engine) -> str | None:
    """The migration that the database is at; None for one without any. Raises StorageError."""
    with transaction(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> bool:
    """Run the missing migrations in one transaction under the write lock; False when there were none.

    Several processes may start at once: the lock is taken before Alembic looks, so the second finds them
    done. Raises StorageError, and SchemaError for a database that a newer release has migrated.
    """
    current = current_revision(engine)
    if current == REVISION:
        check_tables(engine)
        return False
    if current is not None and current > REVISION:
        raise SchemaError(current, REVISION)
    # Alembic takes a while to import, and all starts but the first do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()))
    with defining(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def check_tables(engine: Engine) -> None:
    """Raise StorageError where a database at the newest migration has lost a table."""
    with transaction(engine) as connection:
        found = inspect(connection).get_table_names()
    if lost := sorted((TABLES | database_of(engine).own_tables).difference(found)):
        raise StorageError(f"the database has lost {', '.join(lost)}: restore it from a backup")


def scripts() -> Path:
    """The folder with the migrations: inside an installed package, and at the top of a checkout."""
    package = Path(__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
