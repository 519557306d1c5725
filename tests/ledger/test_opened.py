import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine

import ledger as ledger_package
from ledger.errors import ConflictError, NoLedgerError, StorageError
from ledger.store import Ledger
from tests.builders import game_finished, game_started


def url_of(engine: Engine) -> str:
    return str(engine.url)


def test_a_program_of_ones_own_appends_at_an_expected_version(engine: Engine) -> None:
    with ledger_package.open(url_of(engine)) as log:
        receipt = log.append("game-g1", [game_started(), game_finished()], 0)
        with pytest.raises(ConflictError):
            log.append("game-g1", [game_finished()], 0)

    assert (receipt.first_position, receipt.last_position, receipt.version) == (1, 2, 2)
    assert [entry.type for entry in Ledger(engine).read()] == ["game.started", "game.finished"]


def test_the_appends_of_one_turn_are_awaited_together(engine: Engine) -> None:
    async def append() -> list[int]:
        async with ledger_package.open_async(url_of(engine)) as log:
            games = [log.append(f"game-g{number}", [game_started(game_id=f"g{number}")], 0) for number in range(5)]
            return [receipt.first_position for receipt in await asyncio.gather(*games)]

    assert asyncio.run(append()) == [1, 2, 3, 4, 5]


def test_it_makes_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        ledger_package.open(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()

    with pytest.raises(StorageError, match="is no ledger"):
        ledger_package.open(f"sqlite:///{tmp_path / 'empty.db'}")
