"""What the database itself is to keep for the log: its own structures, and the triggers that refuse changes."""

from sqlalchemy import Engine

from ledger.engines.database import database_of, transaction
from ledger.errors import DamagedError
from ledger.verification.findings import Finding


def damages(engine: Engine) -> list[Finding]:
    """What the database finds wrong with its own structures: pages, indexes against their tables, constraints.

    The chain is read along the table alone. Where an index lacks an entry the chain fits, and every query that
    goes through the index misses the event. Reads all of it. Raises StorageError.
    """
    try:
        with transaction(engine) as connection:
            messages = list(database_of(engine).damages(connection))
    except DamagedError as error:
        messages = [error.problem]
    return [Finding(None, "damaged", message) for message in messages]


def unguarded(engine: Engine) -> list[Finding]:
    """The triggers that are not as they should be: an auditor relies on them too. Raises StorageError."""
    with transaction(engine) as connection:
        return [Finding(None, "unguarded", problem) for problem in database_of(engine).unguarded(connection)]
