"""Backups of a ledger on PostgreSQL, by the server's own programs."""

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.engines.database import disposing, open_engine
from ledger.engines.postgresql_dump import dump
from ledger.errors import StorageError
from ledger.sealing.keys import Signer
from ledger.sealing.seals import seal_head
from ledger.store import Ledger
from ledger.verification.backup import BackupError, back_up
from tests.builders import game_started, round_played
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)


@pytest.fixture
def programs(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{postgresql.bin}{os.pathsep}{os.environ['PATH']}")


def databases(server: Server) -> set[str]:
    with server.connect("postgres") as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}


@pytest.mark.usefixtures("programs")
def test_a_dump_is_restored_and_audited(
    ledger: Ledger, engine: Engine, postgresql: Server, tmp_path: Path
) -> None:
    ledger.append("game-g1", [game_started(), round_played()], 0)
    seal_head(ledger, Signer("example.com/log", bytes(32)))
    before = databases(postgresql)

    report = back_up(engine, tmp_path / "ledger.dump")

    assert (report.intact, report.last, report.claims) == (True, 2, 1)
    assert report.chain_hash == ledger.head().chain_hash
    assert os.listdir(tmp_path) == ["ledger.dump"]
    assert stat.S_IMODE((tmp_path / "ledger.dump").stat().st_mode) == 0o600
    assert databases(postgresql) == before


@pytest.mark.usefixtures("programs")
def test_what_is_wrong_with_a_ledger_is_said_of_its_dump(
    ledger: Ledger, engine: Engine, postgresql: Server, tmp_path: Path
) -> None:
    ledger.append("game-g1", [game_started(), round_played()], 0)
    postgresql.execute(
        "SET session_replication_role = replica",
        "DELETE FROM events WHERE position = 2",
        database=str(engine.url.database),
    )

    report = back_up(engine, tmp_path / "ledger.dump")

    assert [one.kind for one in report.findings] == ["cut tail"]


@pytest.mark.usefixtures("programs")
def test_a_dump_replaces_no_file(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "ledger.dump").write_text("mine")

    with pytest.raises(BackupError, match="exists already"):
        back_up(engine, tmp_path / "ledger.dump")


def test_a_program_that_is_missing_is_named(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StorageError, match="pg_dump is not installed"):
        back_up(engine, tmp_path / "ledger.dump")

    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("programs")
def test_a_program_that_fails_is_quoted_without_a_password(
    engine: Engine, tmp_path: Path, postgresql: Server
) -> None:
    postgresql.execute("DROP ROLE IF EXISTS dumper", "CREATE ROLE dumper LOGIN PASSWORD 'correct-horse'")
    url = engine.url.set(username="dumper", password="correct-horse").render_as_string(hide_password=False)
    problem = "pg_dump failed: .*permission denied"
    with disposing(open_engine(url)) as dumper, pytest.raises(StorageError, match=problem) as caught:
        back_up(dumper, tmp_path / "ledger.dump")

    assert "horse" not in str(caught.value)
    postgresql.execute("DROP ROLE dumper")


@pytest.mark.parametrize("login", ["rps", "rps:secret"])
def test_the_programs_get_the_whole_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """How to reach the server and whether to trust it may be said there."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGPORT", "5433")
    said = tmp_path / "said"
    (tmp_path / "pg_dump").write_text(f"#!/bin/sh\nenv > {said}\n")
    (tmp_path / "pg_dump").chmod(0o700)

    with disposing(open_engine(f"postgresql+psycopg://{login}@127.0.0.1/rps")) as engine:
        dump(engine, "public", tmp_path / "ledger.dump")

    environment = said.read_text().splitlines()
    assert {"PGSSLMODE=verify-full", "PGPORT=5433"} <= set(environment)
    assert ("PGPASSWORD=secret" in environment) == (login != "rps")
