import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event

from gameplay.game import players
from gameplay.serving import leases, webhook_checkpoint
from ledger import schema as log
from ledger.engines.database import disposing, open_engine
from ledger.errors import StorageError
from ledger.guards import SQLITE as TRIGGERS
from ledger.store import Ledger
from ledger.upgrade import REVISION, current_revision, upgrade
from projections import schema as read_models
from tests.builders import game_started

ROOT = Path(__file__).parents[2]
METADATA = (log.metadata, read_models.metadata, players.metadata, leases.metadata, webhook_checkpoint.metadata)
TABLES = {name for metadata in METADATA for name in metadata.tables}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    """A database file without any table."""
    with disposing(open_engine(f"sqlite:///{tmp_path / 'empty.db'}")) as engine:
        yield engine


def schema_of(engine: Engine) -> dict[tuple[str, str], str]:
    """(type, name) -> the statement that made it, spelled in one way; without Alembic's own table."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version'"
    with engine.connect() as connection:
        return {(kind, name): normalised(sql or "") for kind, name, sql in connection.exec_driver_sql(query)}


def normalised(sql: str) -> str:
    """The same text for the same table, however its whitespace, keys and constraints are written."""
    sql = re.sub(r"\s+", " ", sql).strip()
    if not sql.startswith("CREATE TABLE"):
        return sql
    head, _, rest = sql.partition("(")
    body, _, options = rest.rpartition(")")
    columns, constraints = [], []
    for part in map(str.strip, re.split(r",(?![^(]*\))", body)):
        if part.startswith(("CONSTRAINT", "PRIMARY KEY")):
            constraints.append(part)
        elif part.endswith(" PRIMARY KEY"):
            columns.append(part.removesuffix(" PRIMARY KEY"))
            constraints.append(f"PRIMARY KEY ({part.split()[0]})")
        else:
            columns.append(part)
    return f"{head.strip()} ({', '.join(columns + sorted(constraints))}) {options.strip()}"


def test_the_migrations_lead_to_the_tables_of_all_packages(engine: Engine, empty: Engine) -> None:
    for metadata in METADATA:
        metadata.create_all(empty)

    assert schema_of(engine) == schema_of(empty)


def test_the_comparison_sees_what_matters(engine: Engine) -> None:
    schema = schema_of(engine)

    assert {name for kind, name in schema if kind == "trigger"} == set(TRIGGERS)
    assert {name for kind, name in schema if kind == "table"} == TABLES | {"sqlite_sequence"}
    assert all(schema["table", name].endswith(") STRICT") for name in TABLES)
    assert "AUTOINCREMENT" in schema["table", "events"]
    assert normalised("CREATE TABLE t (a INTEGER, b TEXT)") != normalised("CREATE TABLE t (a INTEGER)")


def test_the_schema_names_the_newest_migration() -> None:
    scripts = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))

    assert scripts.get_heads() == [REVISION]


def test_a_database_is_migrated_once(empty: Engine) -> None:
    before = current_revision(empty)

    assert [upgrade(empty), upgrade(empty)] == [True, False]
    assert (before, current_revision(empty)) == (None, REVISION)
    assert Ledger(empty).append("game-g1", [game_started()], 0).first_position == 1
    assert upgrade(empty) is False
    assert Ledger(empty).head().position == 1


def test_a_table_that_is_lost_is_missed_by_name(engine: Engine) -> None:
    assert upgrade(engine) is False
    lost: list[str] = []
    for name in sorted(TABLES, reverse=True):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE {name}")
        lost.insert(0, name)

        with pytest.raises(StorageError, match=f"^the database has lost {', '.join(lost)}: restore it"):
            upgrade(engine)


class PowerCutError(Exception):
    """Not the database's own: nothing on the way may mistake it for something that it can handle."""


def statements_of_upgrade(engine: Engine, *, cut_at: int | None) -> list[str]:
    """The statements that change something, up to the one at which the power fails."""
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.split()[0] in {"CREATE", "INSERT", "UPDATE"}:
            statements.append(statement)
            if len(statements) == cut_at:
                raise PowerCutError

    try:
        upgrade(engine)
    except PowerCutError:
        assert cut_at
    event.remove(engine, "before_cursor_execute", note)
    return statements


def test_an_interrupted_migration_leaves_nothing_behind(tmp_path: Path, empty: Engine) -> None:
    interrupted = open_engine(f"sqlite:///{tmp_path / 'interrupted.db'}")
    statements = statements_of_upgrade(empty, cut_at=None)
    assert len(statements) > len(TABLES)

    for cut_at in range(1, len(statements) + 1):
        statements_of_upgrade(interrupted, cut_at=cut_at)
        assert schema_of(interrupted) == {}
        assert current_revision(interrupted) is None

    assert upgrade(interrupted)
    assert schema_of(interrupted) == schema_of(empty)
    interrupted.dispose()


START = """
import sys
from ledger.engines.database import disposing, open_engine
from ledger.upgrade import upgrade
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
with disposing(open_engine(sys.argv[1])) as engine:
    upgrade(engine)
"""


def start_together(url: str, *, processes: int) -> None:
    """Have so many processes start on a new database at once."""
    command = [sys.executable, "-c", START, url]
    starts = [
        subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        for _ in range(processes)
    ]
    for start in starts:
        assert start.stdout
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin
        start.stdin.write("go\n")
        start.stdin.flush()

    problems = [start.communicate()[1] for start in starts]

    assert problems == [""] * processes
    assert [start.returncode for start in starts] == [0] * processes


def test_six_processes_may_start_on_one_new_file(tmp_path: Path, engine: Engine) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"

    start_together(url, processes=6)

    with disposing(open_engine(url)) as started:
        assert current_revision(started) == REVISION
        assert schema_of(started) == schema_of(engine)


def test_alembic_works_by_hand(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'by_hand.db'}"

    subprocess.run(
        [Path(sys.executable).with_name("alembic"), "-x", f"url={url}", "upgrade", "head"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    with disposing(open_engine(url, must_exist=True)) as engine:
        assert current_revision(engine) == REVISION
