"""A database that a command opens to fill it."""

from pathlib import Path

import pytest

from ledger.engines.database import disposing, open_engine
from ledger.errors import StorageError
from ledger.files import sqlite_url
from ledger.store import Ledger
from projections.commands.source import Source
from tests.builders import game_started


def test_a_file_that_was_made_for_nothing_is_taken_back(tmp_path: Path) -> None:
    with pytest.raises(StorageError), Source(sqlite_url(tmp_path / "new.db")).empty():
        raise StorageError("what was to be imported cannot be read")

    assert list(tmp_path.iterdir()) == []


def fill_from_elsewhere(url: str) -> None:
    with disposing(open_engine(url)) as engine:
        Ledger(engine).append("game-g1", [game_started()], 0)
    raise StorageError("the ledger has events already")


def test_a_file_that_another_process_has_filled_meanwhile_stays(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "new.db")
    with pytest.raises(StorageError), Source(url).empty():
        fill_from_elsewhere(url)

    with disposing(open_engine(url, must_exist=True)) as engine:
        assert Ledger(engine).head().position == 1
