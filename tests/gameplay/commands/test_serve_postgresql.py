"""A start on a PostgreSQL that cannot be worked with: one clear line, exit status 2, and no password in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gameplay.cli import rps
from tests.pgbouncer import PERMISSIVE, TRANSACTION_MODE, pooling
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)
PASSWORD = "correct-hush"
"""Of the role that the start takes, which the server asks for."""


@pytest.fixture
def name(database: str) -> str:
    """Of a database with every table and no event."""
    return database.rpartition("/")[2]


@pytest.fixture(autouse=True)
def owner(postgresql: Server, name: str) -> Iterator[None]:
    """A role that may do everything in the database, and has a password."""
    postgresql.execute(
        "DROP ROLE IF EXISTS secretive", f"CREATE ROLE secretive SUPERUSER LOGIN PASSWORD '{PASSWORD}'"
    )
    yield
    postgresql.execute("DROP OWNED BY secretive", "DROP ROLE secretive", database=name)


def start(url: str, folder: Path) -> list[str]:
    """The lines that a start has printed which must be refused."""
    made = CliRunner().invoke(rps, ["serve"], env={"RPS_DATA_DIR": str(folder), "RPS_DATABASE_URL": url})
    assert made.exit_code == 2, made.output
    assert "hush" not in made.output
    return [line for line in made.output.splitlines() if line]


def url_of(port: int, name: str, password: str = PASSWORD) -> str:
    return f"postgresql+psycopg://secretive:{password}@127.0.0.1:{port}/{name}"


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        ("ALTER ROLE secretive PASSWORD 'another-hush'", "password authentication failed"),
        ("ALTER ROLE secretive NOSUPERUSER CONNECTION LIMIT 0", "too many connections"),
        ("ALTER ROLE secretive NOSUPERUSER", "rps migrate --grant ROLE"),
        ("ALTER ROLE secretive SET default_transaction_read_only = on", "read-only"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer"),
        ("DROP TABLE alembic_version", "already exists"),
        ("DROP TABLE leases", "the database has lost leases: restore it from a backup"),
        ("DROP TABLE ledger_head", "the database has lost ledger_head"),
    ],
)
def test_a_start_is_refused_in_one_line(
    postgresql: Server, name: str, tmp_path: Path, prepare: str, problem: str
) -> None:
    postgresql.execute(prepare, database=name)

    (line,) = start(url_of(postgresql.port, name), tmp_path)

    assert problem in line


def test_a_start_without_its_database_is_refused_in_one_line(
    postgresql: Server, name: str, tmp_path: Path
) -> None:
    (line,) = start(url_of(postgresql.port, f"no_{name}"), tmp_path)

    assert f'database "no_{name}" does not exist' in line


@pytest.mark.parametrize("settings", [TRANSACTION_MODE, PERMISSIVE], ids=["as it comes", "permissive"])
def test_a_start_behind_a_pooler_is_refused_too(
    postgresql: Server, name: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    with pooling(postgresql, settings) as port:
        (line,) = start(url_of(port, name), tmp_path)

    assert "a connection pooler answers for PostgreSQL" in line
