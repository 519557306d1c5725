"""A database that is not the ledger known outside it: refused by name, or accepted on the record."""

import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from gameplay.config import Settings
from gameplay.core import Core, open_core
from ledger.engines.database import disposing, open_engine, writing
from ledger.errors import IdentityError
from ledger.events import LedgerAccepted
from ledger.identity import LinkFile, newest_link, read_id
from ledger.schema import events
from ledger.sealing.keys import public_path, read_verifier
from ledger.store import Ledger
from ledger.upgrade import scripts, upgrade
from ledger.verification.audit import audit
from ledger.verification.backup import back_up
from projections.audit.archive import open_archive
from tests.builders import game_started
from tests.gameplay.fakes import FakeRegistry

LATE_US = 2**62
"""So late that whatever is not sealed is due."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", promotion_schedule=None)


@pytest.fixture
def database(settings: Settings) -> Path:
    return settings.data_dir / "ledger.db"


def opened(settings: Settings, **more: bool) -> Core:
    return open_core(settings, registry=FakeRegistry(), **more)


def play(core: Core, games: int, *, sealed: bool = False) -> None:
    for _ in range(games):
        position = core.ledger.head().position
        core.ledger.append(f"game-{position}", [game_started(game_id=f"g{position}")], 0)
    if sealed:
        core.open_sealer().run(LATE_US)


def known(settings: Settings) -> LinkFile:
    return LinkFile(settings.data_dir / "ledger.id")


def test_a_ledger_is_known_outside_from_its_birth_to_its_newest_event(settings: Settings) -> None:
    with closing(opened(settings)) as core:
        at_birth = known(settings).read()
        assert at_birth == newest_link(core.ledger)
        play(core, 3)
        core.copies.renew(core.ledger)
        assert known(settings).read() == newest_link(core.ledger)
        play(core, 2)
        newest = newest_link(core.ledger)

    assert known(settings).read() == newest
    assert (at_birth.position if at_birth else None, newest.position) == (0, 5)
    assert stat.S_IMODE((settings.data_dir / "ledger.id").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700


def remove_ledger(settings: Settings) -> None:
    for path in settings.data_dir.glob("ledger.db*"):
        path.unlink()


def remove_ledger_and_link(settings: Settings) -> None:
    remove_ledger(settings)
    (settings.data_dir / "ledger.id").unlink()


@pytest.mark.parametrize(
    ("remove", "named"),
    [
        (remove_ledger, r"no database at .*ledger\.db, and .*ledger\.id knows ledger .* up to position 3"),
        (
            remove_ledger_and_link,
            r"no database at .*ledger\.db, and the checkpoint archive has a seal over 3 events",
        ),
    ],
)
def test_a_ledger_that_is_gone_is_not_begun_again(
    settings: Settings, database: Path, remove: Callable[[Settings], None], named: str
) -> None:
    with closing(opened(settings)) as core:
        play(core, 3, sealed=True)
    remove(settings)

    with pytest.raises(IdentityError, match=named):
        opened(settings)

    assert not database.exists()


def test_another_ledger_in_its_place_is_named(settings: Settings, database: Path, tmp_path: Path) -> None:
    with closing(opened(settings)) as core:
        play(core, 3)
        first = read_id(core.engine)
    with disposing(open_engine(f"sqlite:///{tmp_path / 'other.db'}")) as engine:
        upgrade(engine)
        second = read_id(engine)
    (tmp_path / "other.db").replace(database)

    with pytest.raises(IdentityError, match=f"holds ledger {second}, and .*ledger.id knows ledger {first}"):
        opened(settings)


def restore(settings: Settings, *, at: int, now: int, sealed: bool = True) -> None:
    """Have a backup made at one position where the ledger has gone on to another."""
    with closing(opened(settings)) as core:
        play(core, at, sealed=sealed)
        back_up(core.engine, settings.data_dir / "backup.db")
        play(core, now - at, sealed=sealed)
    remove_ledger(settings)
    (settings.data_dir / "backup.db").rename(settings.data_dir / "ledger.db")


def test_a_backup_that_is_shorter_than_what_is_known_is_refused(settings: Settings) -> None:
    restore(settings, at=3, now=5)
    with pytest.raises(IdentityError, match=r"ends at position 3, and .*ledger\.id knows position 5 of this"):
        opened(settings)

    (settings.data_dir / "ledger.id").unlink()
    with pytest.raises(IdentityError, match="ends at position 3, and the checkpoint archive has a seal over 5 "):
        opened(settings)


def test_a_history_that_went_another_way_is_refused(settings: Settings, database: Path) -> None:
    restore(settings, at=3, now=5)
    with disposing(open_engine(f"sqlite:///{database}")) as engine:
        Ledger(engine).append("game-else", [game_started(game_id=f"else-{number}") for number in range(4)], 0)

    with pytest.raises(IdentityError, match="has another history at position 5"):
        opened(settings)
    (settings.data_dir / "ledger.id").unlink()
    with pytest.raises(IdentityError, match="lacks the seal over 5 events"):
        opened(settings)


@pytest.mark.parametrize("with_link", [True, False])
def test_a_ledger_that_is_accepted_goes_on_and_is_sealed_again(settings: Settings, with_link: bool) -> None:
    restore(settings, at=3, now=5)
    if not with_link:
        (settings.data_dir / "ledger.id").unlink()

    with closing(opened(settings, accepting=True)) as core:
        accepted = core.copies.accept(core.ledger, "the disk broke")

    assert (accepted.position, accepted.archived, accepted.reason) == (3, 1, "the disk broke")
    assert (accepted.known.position if accepted.known else None) == (5 if with_link else None)
    with closing(opened(settings)) as core:
        (entry,) = core.ledger.read_stream("ledger")
        assert (entry.position, core.ledger.decode(entry)) == (4, accepted)
        play(core, 1, sealed=True)  # over five events, as the seal that was set aside
        archived = open_archive(str(settings.data_dir / "models")).notes()
        verifier = read_verifier(public_path(settings.seal_key))
        report = audit(core.ledger, verifiers=[verifier], archived=archived)
    assert (report.findings, [size for size, _ in archived]) == ((), [3, 5])
    aside = list((settings.data_dir / "models" / "seals").glob("before-4-of-*/*.note"))
    assert [path.name for path in aside] == [f"{5:020d}.note"]


def test_another_ledger_can_be_begun_in_the_place_of_one_that_is_gone(settings: Settings) -> None:
    with closing(opened(settings)) as core:
        play(core, 3, sealed=True)
    remove_ledger(settings)

    opened(settings, accepting=True).close()
    with pytest.raises(IdentityError, match="knows ledger"):
        opened(settings)
    with closing(opened(settings, accepting=True)) as core:
        accepted = core.copies.accept(core.ledger, "begin again")

    assert isinstance(accepted, LedgerAccepted)
    assert (accepted.position, accepted.archived) == (0, 1)
    with closing(opened(settings)) as core:
        play(core, 1, sealed=True)
        assert read_id(core.engine) == accepted.ledger_id


def test_a_ledger_from_before_becomes_known(settings: Settings, database: Path) -> None:
    settings.data_dir.mkdir()
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    with (
        disposing(open_engine(f"sqlite:///{database}")) as engine,
        engine.connect() as connection,
        writing(connection, [events]).begin(),
    ):
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")

    with closing(opened(settings)) as core:
        found = read_id(core.engine)

    link = known(settings).read()
    assert link is not None
    assert link.ledger_id == found


def test_a_dry_run_keeps_nothing(settings: Settings) -> None:
    opened(settings).close()
    (settings.data_dir / "ledger.id").unlink()

    opened(settings, read_only=True).close()

    assert known(settings).read() is None


def test_a_data_folder_may_be_copied(settings: Settings, tmp_path: Path) -> None:
    with closing(opened(settings)) as core:
        play(core, 3, sealed=True)

    with closing(opened(Settings(data_dir=shutil.copytree(settings.data_dir, tmp_path / "copy")))) as copy:
        assert copy.ledger.head().position == 3


def test_an_archive_that_does_not_answer_keeps_no_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = replace(
        settings,
        model_store_url="s3://bucket",
        minio_endpoint="http://127.0.0.1:1",
        minio_access_key="key",
        minio_secret_key="hunter2",
    )

    opened(away).close()

    assert "not compared with the checkpoint archive" in caplog.text
    assert "hunter2" not in caplog.text
