"""What a disk does to a ledger in a file: a commit that cannot be written, a torn log, a read-only file."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.appends import Receipt
from ledger.engines.database import disposing, open_engine
from ledger.engines.sqlite import file_of
from ledger.errors import StorageError
from ledger.store import Ledger
from ledger.writer import Writer
from tests.builders import game_started, round_played
from tests.disks import files_of_at_most
from tests.ledger.chains import assert_intact

GAMES = 8
ID = "018f0000-0000-7000-8000-000000000001"
FRAME_BYTES = 24 + 4_096
"""Of SQLite's log: a header and a page."""


def log_of(engine: Engine) -> Path:
    return file_of(engine.url).with_name("ledger.db-wal")


@contextmanager
def failing_disk(engine: Engine) -> Iterator[None]:
    """The system refuses what a commit would write: SQLite calls it an I/O error."""
    with files_of_at_most(log_of(engine).stat().st_size):
        yield


def test_an_io_error_at_the_commit_acknowledges_nothing_and_the_next_append_lands(
    engine: Engine, ledger: Ledger
) -> None:
    before = ledger.append("game-g1", [game_started()], 0)
    with failing_disk(engine):
        for _ in range(2):
            with pytest.raises(StorageError, match="disk I/O error"):
                ledger.append("game-g1", [round_played()], 1, ids=[ID])
        assert ledger.head().position == before.last_position

    after = ledger.append("game-g1", [round_played()], 1, ids=[ID])

    assert (after.first_position, after.version) == (2, 2)
    assert_intact(ledger.read())


def test_an_io_error_at_the_commit_of_a_group_is_every_caller_s_and_none_is_stored(
    engine: Engine, ledger: Ledger
) -> None:
    ledger.append("game-g1", [game_started()], 0)
    names = [f"g{number}" for number in range(2, 2 + GAMES)]

    async def append(writer: Writer, name: str) -> Receipt:
        return await writer.append(f"game-{name}", [game_started(game_id=name)], 0)

    async def scenario() -> list[Receipt]:
        async with Writer(ledger) as writer:
            with failing_disk(engine):
                refused = await asyncio.gather(*(append(writer, name) for name in names), return_exceptions=True)
            assert all(isinstance(one, StorageError) for one in refused), refused
            assert ledger.head().position == 1
            return await asyncio.gather(*(append(writer, name) for name in names))

    stored = asyncio.run(scenario())

    assert sorted(one.first_position for one in stored) == list(range(2, 2 + GAMES))
    assert_intact(ledger.read())


@pytest.mark.parametrize("torn", ["cut", "overwritten"])
def test_a_log_that_a_power_cut_has_torn_loses_whole_appends_from_the_end(
    engine: Engine, ledger: Ledger, tmp_path: Path, torn: str
) -> None:
    """The disk had not taken what comes last: an append is there whole or not at all."""
    for number in range(GAMES):
        started = game_started(game_id=f"g{number}")
        ledger.append(f"game-g{number}", [started, round_played(game_id=started.game_id)], 0)
    whole, log = ledger.read(), log_of(engine).read_bytes()
    found = set()
    for cut in range(len(log) - 20 * FRAME_BYTES - 1_000, len(log), FRAME_BYTES + 7):
        copy = tmp_path / "torn" / "ledger.db"
        shutil.rmtree(copy.parent, ignore_errors=True)
        copy.parent.mkdir()
        shutil.copy(file_of(engine.url), copy)
        left = log[:cut] if torn == "cut" else log[:cut] + bytes(len(log) - cut)
        copy.with_name("ledger.db-wal").write_bytes(left)

        with disposing(open_engine(f"sqlite:///{copy}")) as again:
            left_over = Ledger(again)
            entries = left_over.read()
            assert entries == whole[: len(entries)]
            assert len(entries) % 2 == 0, "half an append"
            assert_intact(entries)
            left_over.append("game-after", [game_started(game_id="after")], 0)
            assert_intact(left_over.read())
        found.add(len(entries))

    assert len(found) > 1, "some appends are lost, and some are not"


def test_a_file_that_was_made_read_only_refuses_appends_and_is_read(engine: Engine, ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started()], 0)
    with engine.connect() as connection:
        # As the system refuses a write to a file system that was mounted read-only; root may write to any other.
        connection.exec_driver_sql("PRAGMA query_only = ON")

    with pytest.raises(StorageError, match="readonly database"):
        ledger.append("game-g1", [round_played()], 1)

    assert ledger.head().position == 1
    engine.dispose()
    assert ledger.append("game-g1", [round_played()], 1).version == 2
