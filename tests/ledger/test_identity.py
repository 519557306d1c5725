import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from ledger.engines.database import disposing, open_engine
from ledger.errors import IdentityError
from ledger.identity import LinkFile, check_link, newest_link, read_id
from ledger.schema import ledger_identity
from ledger.store import Ledger
from ledger.upgrade import upgrade
from ledger.verification.backup import back_up
from tests.builders import game_started
from tests.postgresql import EVERY_ENGINE, SQLITE_ONLY, past_the_guards

pytestmark = EVERY_ENGINE


def play(ledger: Ledger, games: int) -> None:
    for _ in range(games):
        position = ledger.head().position
        ledger.append(f"game-{position}", [game_started(game_id=f"g{position}")], 0)


@pytest.fixture
def other(tmp_path: Path) -> Ledger:
    with disposing(open_engine(f"sqlite:///{tmp_path / 'other.db'}")) as engine:
        upgrade(engine)
    return Ledger(engine)


def test_every_ledger_has_an_id_of_its_own(engine: Engine, other: Ledger) -> None:
    assert read_id(engine) != read_id(other.engine)
    assert read_id(engine) == read_id(engine)
    other.engine.dispose()


@SQLITE_ONLY
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_identity SET ledger_id = 'another'",
        "DELETE FROM ledger_identity",
        "INSERT INTO ledger_identity VALUES ('another')",
        "INSERT OR REPLACE INTO ledger_identity VALUES ('another')",
    ],
)
def test_an_id_is_never_changed(engine: Engine, statement: str) -> None:
    before = read_id(engine)

    with engine.connect() as connection, pytest.raises(IntegrityError, match="id"):
        connection.exec_driver_sql(statement)

    assert read_id(engine) == before


def test_an_id_that_is_gone_is_named(engine: Engine) -> None:
    ledger_id = read_id(engine)
    with past_the_guards(engine) as connection:
        connection.execute(ledger_identity.delete())

    with pytest.raises(IdentityError, match="has lost the ledger's id"):
        read_id(engine)
    # A server's database is used again.
    with past_the_guards(engine) as connection:
        connection.execute(ledger_identity.insert().values(ledger_id=ledger_id))


def test_a_ledger_that_has_grown_is_the_one_that_is_known(ledger: Ledger) -> None:
    at_birth = newest_link(ledger)
    play(ledger, 3)
    later = newest_link(ledger)
    play(ledger, 2)

    for known in (at_birth, later, newest_link(ledger)):
        check_link(ledger, known, "ledger.id")
    assert [at_birth.position, later.position] == [0, 3]


def test_another_ledger_is_named(ledger: Ledger, other: Ledger) -> None:
    play(ledger, 3)
    play(other, 3)

    with pytest.raises(
        IdentityError, match=r"other\.db holds ledger .*, and ledger\.id knows ledger .*rps accept"
    ):
        check_link(other, newest_link(ledger), "ledger.id")
    other.engine.dispose()


@SQLITE_ONLY
def test_a_backup_is_the_same_ledger_and_shorter(ledger: Ledger, tmp_path: Path) -> None:
    play(ledger, 3)
    back_up(ledger.engine, tmp_path / "backup.db")
    play(ledger, 1)

    with disposing(open_engine(f"sqlite:///{tmp_path / 'backup.db'}")) as engine:
        restored = Ledger(engine)
        with pytest.raises(IdentityError, match=r"ends at position 3, and ledger\.id knows position 4"):
            check_link(restored, newest_link(ledger), "ledger.id")
        restored.append("game-else", [game_started(game_id="else")], 0)
        with pytest.raises(IdentityError, match="another history at position 4"):
            check_link(restored, newest_link(ledger), "ledger.id")


def test_a_link_is_kept_in_a_private_file(ledger: Ledger, tmp_path: Path) -> None:
    file = LinkFile(tmp_path / "ledger.id")
    assert file.read() is None

    file.write(newest_link(ledger))
    play(ledger, 2)
    file.write(newest_link(ledger))

    assert file.read() == newest_link(ledger)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b'{"ledger_id":"x"}',
        b'{"ledger_id":"x","position":-1,"chain_hash":"%s"}' % (b"0" * 64),
        b'{"ledger_id":"x","position":1,"chain_hash":"0"}',
    ],
)
def test_a_file_that_holds_no_link_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.id").write_bytes(content)

    with pytest.raises(IdentityError, match=r"ledger\.id holds no "):
        LinkFile(tmp_path / "ledger.id").read()
