"""What the database itself is to keep for the log: its own structures, and the triggers that refuse changes."""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from ledger.engines.database import transaction
from ledger.errors import DamagedError
from ledger.schema import TRIGGERS
from ledger.verification.findings import Finding

MESSAGES_MAX = 10
_STORED_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


def damages(engine: Engine) -> list[Finding]:
    """What SQLite finds wrong with its own file: pages, indexes against their tables, constraints.

    The chain is read along the table alone. Where an index lacks an entry the chain fits, and every query that
    goes through the index misses the event. Reads the whole file. Raises StorageError.
    """
    try:
        with transaction(engine) as connection:
            messages = list(_messages(connection))
    except DamagedError as error:
        messages = [error.problem]
    return [Finding(None, "damaged", message) for message in messages]


def _messages(connection: Connection) -> Iterator[str]:
    for (message,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MESSAGES_MAX})"):
        lines = str(message).splitlines()
        yield from (line for line in lines if line != "ok" and not line.startswith("***"))


def unguarded(engine: Engine) -> list[Finding]:
    """The triggers that are not as they should be: an auditor relies on them too. Raises StorageError."""
    with transaction(engine) as connection:
        stored = {row.name: row.sql for row in connection.exec_driver_sql(_STORED_TRIGGERS)}
    return [
        Finding(None, "unguarded", f"trigger {name} is {'changed' if name in stored else 'missing'}")
        for name, statement in TRIGGERS.items()
        if stored.get(name) != statement.strip()
    ]
