import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from ledger.engines import sqlite as engines
from ledger.engines.database import disposing, open_engine, open_reader, transaction, writing
from ledger.engines.sqlite import BUSY_TIMEOUT_MS, bound_wal, file_of, open_memory, size_bytes
from ledger.errors import DamagedError, DiskFullError, ReplacedError, StorageError
from ledger.schema import events
from ledger.store import Ledger
from ledger.upgrade import upgrade
from tests.builders import game_started


def test_every_connection_is_durable_and_patient(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("busy_timeout", "journal_mode", "synchronous", "foreign_keys")
            }
            assert pragmas == {
                "busy_timeout": BUSY_TIMEOUT_MS,
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
            }


def test_a_first_connection_waits_for_another_that_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE anything (number INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, other.rollback)
    release.start()
    engine = open_engine(f"sqlite:///{path}")

    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    release.join()
    other.close()
    engine.dispose()


def test_a_first_connection_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE anything (number INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 50)
    engine = open_engine(f"sqlite:///{path}")

    with pytest.raises(OperationalError, match="locked"):
        engine.connect()
    other.close()
    engine.dispose()


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'ledger.db'}")

    assert not (tmp_path / "new" / "folder" / "ledger.db").exists()
    engine.connect().close()
    assert (tmp_path / "new" / "folder" / "ledger.db").exists()
    engine.dispose()


def test_a_database_that_must_exist_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"

    with pytest.raises(StorageError, match=r"no ledger at .*ledger\.db"):
        open_engine(f"sqlite:///{path}", must_exist=True)

    assert not path.parent.exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ledger.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://host/ledger",
        "postgresql://host/x",
        "postgresql+asyncpg://host/x",
        "sqlite://host:port/x",
        "sqlite://data/ledger.db",
        "sqlite:///ledger.db?timeout=abc",
        "sqlite:///led\0ger.db",
        "sqlite:///led\udcffger.db",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match="write sqlite:///FILE"):
        open_engine(url)


def test_a_folder_is_no_database_and_stays_open_to_those_who_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    with pytest.raises(StorageError, match=r"is a folder: name a file in it, as in .*data/ledger\.db"):
        open_engine(f"sqlite:///{folder}")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_refusal_keeps_the_password_to_itself() -> None:
    with pytest.raises(StorageError) as caught:
        open_engine("mysql://user:hunter2@host/ledger")

    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database, however long one looks at it" * 100)
    engine = open_engine(f"sqlite:///{path}")

    with pytest.raises(StorageError, match="not a database"):
        Ledger(engine).head()
    engine.dispose()


def test_a_database_without_tables_is_a_storage_error(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")

    with pytest.raises(StorageError, match="no such table"):
        Ledger(engine).append("game-g1", [game_started()], 0)
    engine.dispose()


def test_a_reader_does_not_hold_up_a_writer(engine: Engine) -> None:
    with engine.connect() as reader, reader.begin():
        reader.exec_driver_sql("SELECT count(*) FROM events")

        Ledger(engine).append("game-g1", [game_started()], 0)

        assert reader.exec_driver_sql("SELECT count(*) FROM events").scalar() == 0
    assert Ledger(engine).head().position == 1


def test_a_writing_transaction_holds_the_lock_from_its_begin(engine: Engine) -> None:
    with engine.connect() as first, writing(first, [events]).begin(), engine.connect() as second:
        second.exec_driver_sql("PRAGMA busy_timeout = 0")
        second.rollback()

        with pytest.raises(OperationalError, match="locked"):
            writing(second, [events]).begin()
    engine.dispose()


def test_a_connection_returns_to_the_pool_as_a_reader(engine: Engine) -> None:
    with engine.connect() as connection, writing(connection, [events]).begin():
        pass

    with engine.connect() as reader, reader.begin(), engine.connect() as writer:
        writer.exec_driver_sql("PRAGMA busy_timeout = 0")
        writer.rollback()
        with writing(writer, [events]).begin():
            pass
    engine.dispose()


def test_a_page_that_is_overwritten_is_a_damaged_error(engine: Engine, ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started()], 0)
    engine.dispose()
    path = file_of(engine.url)
    content = bytearray(path.read_bytes())
    content[4_096:] = b"\xff" * (len(content) - 4_096)
    path.write_bytes(content)

    with pytest.raises(
        DamagedError, match=r"damaged \(database disk image is malformed\): run `rps-audit verify`"
    ):
        ledger.read()


@pytest.mark.parametrize("column", ["event_id", "stream", "type"])
def test_a_text_that_is_not_utf_8_is_a_damaged_error_in_one_line(
    engine: Engine, ledger: Ledger, column: str
) -> None:
    ledger.append("game-g1", [game_started()], 0)
    with transaction(engine, write=[events]) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql(f"UPDATE events SET {column} = CAST(x'ff0a41' AS TEXT)")

    with pytest.raises(DamagedError) as caught:
        ledger.read()

    assert str(caught.value) == "the database is damaged (a text is not UTF-8): run `rps-audit verify`"


@pytest.fixture
def still(tmp_path: Path) -> str:
    """The URL of a database that no process has open."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with disposing(open_engine(url)) as engine, transaction(engine, write=[events]) as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT) STRICT")
    os.utime(tmp_path / "ledger.db", (0, 0))  # what is written within one tick of the file system bears one time
    return url


def notes(engine: Engine) -> list[str]:
    with transaction(engine) as connection:
        return [str(row[0]) for row in connection.exec_driver_sql("SELECT text FROM notes")]


def test_a_traceless_reader_leaves_no_file(still: str, tmp_path: Path) -> None:
    with disposing(open_reader(still, traceless=True)) as engine:
        assert notes(engine) == []

    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_a_traceless_reader_sees_what_a_running_writer_has_committed(still: str) -> None:
    with disposing(open_engine(still)) as writer:
        with transaction(writer, write=[events]) as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('kept in the log')")
        with disposing(open_reader(still, traceless=True)) as engine:
            assert notes(engine) == ["kept in the log"]


def test_a_traceless_reader_gives_nothing_of_a_file_that_is_written_to_meanwhile(still: str) -> None:
    with disposing(open_reader(still, traceless=True)) as engine:
        with disposing(open_engine(still)) as writer, transaction(writer, write=[events]) as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('meanwhile')")

        with pytest.raises(StorageError, match=r"was written to while it was read: run the command again"):
            notes(engine)


def start_game(ledger: Ledger, name: str) -> None:
    ledger.append(f"game-{name}", [game_started(game_id=name)], 0)


def remove(path: Path) -> None:
    path.unlink()


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    with disposing(open_engine(f"sqlite:///{other}")) as engine:
        upgrade(engine)
    other.replace(path)


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def move_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


@pytest.mark.parametrize("change", [remove, replace_by_another, replace_by_a_copy, move_the_folder])
@pytest.mark.parametrize("idle", [True, False])
def test_nothing_is_acknowledged_once_the_file_is_another(
    tmp_path: Path, change: Callable[[Path], None], idle: bool
) -> None:
    path = tmp_path / "folder" / "ledger.db"
    with disposing(open_engine(f"sqlite:///{path}")) as engine:
        upgrade(engine)
        ledger = Ledger(engine)
        start_game(ledger, "before")
        ledger.check()
        if idle:  # then the next transaction needs a connection of its own
            engine.dispose()

        change(path)

        for name in ("one", "two"):
            with pytest.raises(ReplacedError, match=r"ledger\.db is .* nothing is acknowledged"):
                start_game(ledger, name)
        with pytest.raises(ReplacedError):
            ledger.check()
    # Nor was a new one made in its place.
    assert path.exists() == (change in (replace_by_another, replace_by_a_copy))


@pytest.mark.parametrize("change", [remove, replace_by_a_copy])
def test_a_file_that_goes_while_a_batch_is_written_is_seen_before_the_answer(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "ledger.db"
    with disposing(open_engine(f"sqlite:///{path}")) as engine:
        upgrade(engine)

        def write() -> None:
            with transaction(engine, write=[events]) as connection:
                connection.exec_driver_sql("CREATE TABLE anything (number INTEGER)")
                change(path)

        with pytest.raises(ReplacedError):
            write()


def test_a_log_that_is_taken_away_is_seen(engine: Engine, ledger: Ledger) -> None:
    start_game(ledger, "before")
    file_of(engine.url).with_name("ledger.db-wal").unlink()

    with pytest.raises(ReplacedError, match=r"ledger\.db-wal is gone"):
        start_game(ledger, "after")


def test_a_file_that_is_put_back_is_written_again(engine: Engine, ledger: Ledger) -> None:
    path = file_of(engine.url)
    start_game(ledger, "before")
    path.rename(path.with_name("away"))
    with pytest.raises(ReplacedError):
        start_game(ledger, "meanwhile")

    path.with_name("away").rename(path)

    start_game(ledger, "after")
    assert [entry.stream for entry in ledger.read()] == ["game-before", "game-after"]


def test_two_processes_may_open_and_close_one_file(engine: Engine, ledger: Ledger) -> None:
    for number in range(3):
        with disposing(open_engine(str(engine.url))) as other:
            start_game(Ledger(other), f"theirs-{number}")
        start_game(ledger, f"ours-{number}")
        engine.dispose()  # the last to close takes the log away

    assert ledger.head().position == 6


def test_a_file_is_for_its_owner_alone_and_so_is_what_lies_beside_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "new" / "ledger.db"
        with disposing(open_engine(f"sqlite:///{path}")) as engine:
            upgrade(engine)
            start_game(Ledger(engine), "g1")
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_of_an_earlier_release_is_made_private(engine: Engine) -> None:
    path = file_of(engine.url)
    engine.dispose()
    path.chmod(0o644)

    with disposing(open_engine(str(engine.url))) as again:
        Ledger(again).head()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_an_error_of_its_own(engine: Engine, ledger: Ledger) -> None:
    start_game(ledger, "before")
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    huge = [game_started(game_id=f"g{number}", player_id="p" * 200) for number in range(200)]

    with pytest.raises(DiskFullError, match="disk full"):
        ledger.append("game-huge", huge, 0)

    engine.dispose()
    assert ledger.head().position == 1
    start_game(ledger, "after")


def fill_log(ledger: Ledger, path: Path) -> int:
    """Write for as long as a reader keeps the log from being used again; returns how large it has become."""
    with ledger.engine.connect() as reader, reader.begin():
        reader.exec_driver_sql("SELECT count(*) FROM events")
        for number in range(20):
            games = [game_started(game_id=f"{number}-{one}", player_id="p" * 200) for one in range(50)]
            ledger.append(f"game-{number}", games, 0)
    return path.with_name("ledger.db-wal").stat().st_size


def test_a_log_that_a_reader_made_long_is_cut(engine: Engine, ledger: Ledger) -> None:
    path = file_of(engine.url)
    before = fill_log(ledger, path)

    assert bound_wal(engine, bytes_max=before) is False
    assert bound_wal(engine, bytes_max=before - 1) is True

    assert path.with_name("ledger.db-wal").stat().st_size == 0
    start_game(ledger, "after")
    assert ledger.head().position == 1_001


def test_a_log_that_is_read_is_left_alone_at_once(engine: Engine, ledger: Ledger) -> None:
    path = file_of(engine.url)
    before = fill_log(ledger, path)

    with engine.connect() as reader, reader.begin():
        reader.exec_driver_sql("SELECT count(*) FROM events")
        start_game(ledger, "meanwhile")
        bound_wal(engine, bytes_max=1)

        assert path.with_name("ledger.db-wal").stat().st_size >= before
        start_game(ledger, "after")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == BUSY_TIMEOUT_MS


def test_the_size_is_that_of_the_file_and_of_its_log(engine: Engine, ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started()], 0)
    path = file_of(engine.url)

    assert path.with_name("ledger.db-wal").stat().st_size > 0
    assert size_bytes(engine) == sum(path.with_name(f"ledger.db{end}").stat().st_size for end in ("", "-wal"))


def test_what_is_no_file_or_is_gone_has_no_size(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with disposing(open_memory()) as memory, disposing(open_engine(url)) as gone:
        assert size_bytes(memory) is None
        assert size_bytes(gone) is None
