"""Copies of the example that may be written to, and changes to events that no service would make."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ledger.engines.database import open_engine, transaction
from ledger.guards import SQLITE as TRIGGERS
from ledger.schema import events
from ledger.store import Ledger

Edit = Callable[[dict[str, Any]], object]


@contextmanager
def writable_copy(path: Path, folder: Path) -> Iterator[Ledger]:
    """A copy of a database, in a folder."""
    copied = shutil.copy(path, folder / "copy.db")
    engine = open_engine(f"sqlite:///{copied}", must_exist=True)
    yield Ledger(engine)
    engine.dispose()


def database(ledger: Ledger) -> Path:
    """The file of a ledger."""
    assert ledger.engine.url.database
    return Path(ledger.engine.url.database)


def execute(path: Path, *statements: str) -> None:
    """Run SQL as an intruder with the file can: no trigger is in the way, and none is missing afterwards."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        for trigger in TRIGGERS.values():
            connection.execute(trigger)


def edit(ledger: Ledger, position: int, change: Edit) -> None:
    """Change a stored payload, as an intruder with the file could."""
    (entry,) = ledger.read(position - 1, limit=1)
    payload = msgspec.json.decode(entry.payload, type=dict[str, Any])
    change(payload)
    with transaction(ledger.engine, write=[events]) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql(
            "UPDATE events SET payload = ? WHERE position = ?", (msgspec.json.encode(payload), position)
        )
        connection.exec_driver_sql(TRIGGERS["events_refuse_update"])
