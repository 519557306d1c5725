from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.engines.database import open_reader
from ledger.guards import SQLITE as TRIGGERS
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.backup import back_up
from ledger.verification.integrity import damages
from ledger.verification.walk import verify
from tests.mutations import Vandal, make_ledger

INDEX = "sqlite_autoindex_events_2"


@pytest.fixture
def vandal(tmp_path: Path) -> Iterator[Vandal]:
    with closing(make_ledger(tmp_path / "ledger.db", 60)) as vandal:
        yield vandal


def misplace_in_index(vandal: Vandal, position: int) -> None:
    """Have the index of streams say something else of an event than the table does."""
    connection = vandal.connection
    connection.execute("UPDATE events SET version = version + 1000 WHERE position = ?", (position,))
    row = connection.execute("SELECT * FROM sqlite_master WHERE name = ?", (INDEX,)).fetchone()
    (schema,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'events'").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE name = ?", (INDEX,))
    without = schema[: schema.rindex(b",\n")] + b") STRICT"
    connection.execute("UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = 'events'", (without,))
    connection.execute("PRAGMA writable_schema = RESET")
    connection.execute("UPDATE events SET version = version - 1000 WHERE position = ?", (position,))
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = 'events'", (schema,))
    values = "CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?"
    connection.execute(f"INSERT INTO sqlite_master VALUES ({values})", row)
    connection.execute("PRAGMA writable_schema = RESET")


def test_an_undamaged_file_has_no_damages(vandal: Vandal) -> None:
    assert damages(vandal.ledger.engine) == []


def test_an_index_that_says_something_else_than_the_table_is_damaged(vandal: Vandal) -> None:
    stream, version = vandal.ledger.read(29, limit=1)[0][2:4]
    misplace_in_index(vandal, 30)

    report = audit(vandal.ledger)

    # The chain is read along the table, where nothing is wrong; a query by stream misses the event.
    assert version not in [entry.version for entry in vandal.ledger.read_stream(stream) if entry.version < 1000]
    assert [one.kind for one in verify(vandal.ledger).findings] == ["unguarded"] * len(TRIGGERS)
    damaged = [one.problem for one in report.findings if one.kind == "damaged"]
    assert any(INDEX in problem for problem in damaged)
    assert all("\n" not in problem for problem in damaged)


def test_a_damage_travels_into_the_backup_and_is_said_there(vandal: Vandal, tmp_path: Path) -> None:
    misplace_in_index(vandal, 30)

    report = back_up(vandal.ledger.engine, tmp_path / "backup.db")

    assert "damaged" in {one.kind for one in report.findings}


def damaged_copy(vandal: Vandal, table: str, written: bytes, folder: Path) -> Engine:
    """A copy of the file in which a table's first page begins with other bytes."""
    vandal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    select = "SELECT rootpage FROM sqlite_master WHERE name = ?"
    (page,) = vandal.connection.execute(select, (table,)).fetchone()
    content = bytearray(vandal.path.read_bytes())
    start = (page - 1) * 4_096
    content[start : start + len(written)] = written
    (folder / "damaged.db").write_bytes(content)
    return open_reader(f"sqlite:///{folder / 'damaged.db'}")


def test_a_damaged_page_is_named_and_nothing_else(vandal: Vandal, tmp_path: Path) -> None:
    engine = damaged_copy(vandal, "players", b"\x0d\x0f\xf0", tmp_path)

    (found,) = damages(engine)
    engine.dispose()

    assert found.problem.startswith("Page ")


def test_seals_that_cannot_be_read_are_damaged_and_the_events_are_verified(vandal: Vandal, tmp_path: Path) -> None:
    engine = damaged_copy(vandal, "seals", b"\xff" * 4_096, tmp_path)

    report = audit(Ledger(engine))
    engine.dispose()

    assert "damaged" in {one.kind for one in report.findings if "the seals cannot be read" in one.problem}
    assert (report.events, report.seals) == (60, 0)


def test_a_file_that_cannot_be_checked_is_damaged(vandal: Vandal, tmp_path: Path) -> None:
    engine = damaged_copy(vandal, "alembic_version", b"\xff" * 4_096, tmp_path)

    found = damages(engine)
    engine.dispose()

    assert {one.kind for one in found} == {"damaged"}
