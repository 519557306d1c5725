"""Bring a database to the newest migration."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from ledger.engines.database import writing
from ledger.errors import SchemaError, StorageError

REVISION = "0006"
"""The newest migration."""


def current_revision(engine: Engine) -> str | None:
    """The migration that the database is at; None for one without any. Raises StorageError."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        raise StorageError(f"cannot read {engine.url.database}: {error.orig}") from error


def upgrade(engine: Engine) -> bool:
    """Run the missing migrations in one transaction under the write lock; False when there were none.

    Several processes may start at once: the lock is taken before Alembic looks, so the second finds them
    done. Raises StorageError, and SchemaError for a database that a newer release has migrated.
    """
    current = current_revision(engine)
    if current == REVISION:
        return False
    if current is not None and current > REVISION:
        raise SchemaError(current, REVISION)
    # Alembic takes a while to import, and all starts but the first do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect() as connection, writing(connection).begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
