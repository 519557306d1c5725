"""A data folder that was moved or copied: MLflow's database holds absolute paths, which are made to follow it.

MLflow makes every local path absolute when it is given one, and has no call that changes it later.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

# Where MLflow keeps paths. Not every release has every table.
PATHS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def database_of(tracking_uri: str) -> Path | None:
    """The SQLite file behind a tracking URI, if it is one that exists."""
    scheme, _, path = tracking_uri.partition(":///")
    return Path(path) if scheme == "sqlite" and Path(path).is_file() else None


def follow(tracking_uri: str, experiment: str, artifacts: str) -> None:
    """Make the paths in MLflow's database those of the folder in which it lies, and say so.

    `artifacts` is the URI of the folder beside the database, where the experiment's artifacts belong. A registry
    that lies elsewhere is not ours to rewrite. Raises sqlite3.Error.
    """
    database = database_of(tracking_uri)
    if database is None or (database.parent.absolute() / "artifacts").as_uri() != artifacts:
        return
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        columns = [column for column in PATHS if _exists(connection, *column)]
        before = _location(connection, experiment) if ("experiments", "artifact_location") in columns else None
        # Another location than a folder of this name was chosen by a person.
        if before is None or before == artifacts:
            return
        if not before.startswith("file://") or Path(before).name != "artifacts":
            return
        connection.execute("BEGIN IMMEDIATE")
        for table, column in columns:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (artifacts, len(before) + 1, before, len(before) + 1, f"{before}/"),
            )
        connection.execute("COMMIT")
    log.warning(
        "the data folder has moved: MLflow's paths are now under %s, no longer under %s", artifacts, before
    )


def _exists(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))


def _location(connection: sqlite3.Connection, experiment: str) -> str | None:
    query = "SELECT artifact_location FROM experiments WHERE name = ?"
    row = connection.execute(query, (experiment,)).fetchone()
    return row[0] if row else None
