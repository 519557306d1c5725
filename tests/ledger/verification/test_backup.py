import os
import resource
import shutil
import signal
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.engines.database import open_engine, open_reader, transaction
from ledger.errors import StorageError
from ledger.schema import events
from ledger.sealing.keys import Signer
from ledger.sealing.seals import read_seals, seal_head
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.backup import BackupError, back_up
from ledger.verification.walk import verify
from projections.audit.replay import Replay
from tests.builders import game_started, round_played


def append(ledger: Ledger, games: int) -> None:
    for _ in range(games):
        number = ledger.head().position
        ledger.append(
            f"game-{number}", [game_started(game_id=f"g{number}"), round_played(game_id=f"g{number}")], 0
        )


def test_a_backup_is_restored_verified_and_replayed_to_the_same_state(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    append(ledger, 20)
    seal_head(ledger, Signer("example.com/log", bytes(32)))
    before, head = Replay(ledger), ledger.head()
    before.advance(head.position)

    heard: list[int] = []
    report = back_up(engine, tmp_path / "backup.db", heard.append)
    restored_path = shutil.copy(tmp_path / "backup.db", tmp_path / "restored.db")
    restored = Ledger(open_engine(f"sqlite:///{restored_path}", must_exist=True))
    after = Replay(restored)
    after.advance(restored.head().position)

    assert (report.intact, report.events, report.claims, sum(heard)) == (True, 40, 1, 40)
    assert restored.head() == head
    assert after.plain() == before.plain()
    assert read_seals(restored) == read_seals(ledger)
    assert audit(restored).intact
    append(restored, 1)
    assert verify(restored).events == 42
    restored.engine.dispose()


def test_a_backup_is_one_file_that_only_its_owner_may_read(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 1)
    folder = tmp_path / "backups"
    folder.mkdir()

    back_up(engine, folder / "backup.db")

    assert os.listdir(folder) == ["backup.db"]
    assert stat.S_IMODE((folder / "backup.db").stat().st_mode) == 0o600


def test_a_backup_is_of_one_moment_while_others_write(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 50)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            append(ledger, 1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [back_up(engine, tmp_path / f"{number}.db") for number in range(4)]
    finally:
        stop.set()
        writer.join()

    assert all(report.intact for report in reports)
    assert [report.events for report in reports] == sorted(report.events for report in reports)
    head = {entry.position: entry.chain_hash for entry in ledger.read(limit=100_000)}
    assert all(head[report.last] == report.chain_hash for report in reports)


def test_a_backup_replaces_no_file(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 1)
    (tmp_path / "backup.db").write_text("mine")

    with pytest.raises(BackupError, match="exists already"):
        back_up(engine, tmp_path / "backup.db")

    assert (tmp_path / "backup.db").read_text() == "mine"


def test_a_backup_onto_a_full_disk_leaves_nothing(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 50)
    folder = tmp_path / "full"
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises((BackupError, StorageError)):
            back_up(engine, folder / "backup.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert os.listdir(folder) == []
    assert ledger.head().position == 100


def test_a_backup_into_no_folder_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot write"):
        back_up(engine, tmp_path / "none" / "backup.db")


def test_what_is_wrong_with_a_ledger_is_said_of_its_backup(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 2)
    with transaction(engine, write=[events]) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_delete")
        connection.exec_driver_sql("DELETE FROM events WHERE position = 2")

    report = back_up(engine, tmp_path / "backup.db")

    assert [finding.kind for finding in report.findings] == ["missing", "unguarded"]


def test_a_reader_cannot_write(ledger: Ledger, engine: Engine) -> None:
    append(ledger, 1)
    reader = open_reader(str(engine.url))

    with pytest.raises(StorageError, match="readonly"):
        append(Ledger(reader), 1)

    assert Ledger(reader).head() == ledger.head()
    reader.dispose()


def test_a_reader_opens_what_exists_alone(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no ledger at"):
        open_reader(f"sqlite:///{tmp_path / 'none.db'}")

    assert os.listdir(tmp_path) == []


def test_a_reader_reads_a_name_that_is_no_plain_url(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    append(ledger, 1)
    path = tmp_path / "an odd#name, 100%.db"
    back_up(engine, path)
    reader = open_reader(f"sqlite:///{path}")

    assert Ledger(reader).head() == ledger.head()
    reader.dispose()


@pytest.mark.parametrize(("name", "decoy"), [("other?1", ".other"), ("l-50%25.db", ".l-50%.db.partial")])
def test_a_backup_is_verified_by_its_own_name_whatever_that_holds(
    ledger: Ledger, engine: Engine, tmp_path: Path, name: str, decoy: str
) -> None:
    append(ledger, 2)
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(engine, folder / "small.db")
    (folder / "small.db").rename(folder / decoy)
    append(ledger, 3)

    report = back_up(engine, folder / name)

    assert (report.intact, report.events) == (True, ledger.head().position)
    assert sorted(os.listdir(folder)) == sorted([name, decoy])


@pytest.mark.parametrize("name", ["n" * 300, "file/backup.db"])
def test_a_backup_that_cannot_be_made_says_so_once(
    ledger: Ledger, engine: Engine, tmp_path: Path, name: str
) -> None:
    append(ledger, 1)
    (tmp_path / "file").touch()

    with pytest.raises(BackupError, match="cannot write"):
        back_up(engine, tmp_path / name)
