"""The read-only core: what a dry run or a listing opens, and what it leaves untouched."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.models.errors import ModelUnavailable, RegistryUnavailable
from gameplay.promotion import planning
from gameplay.serving.overview import overview
from ledger.errors import SchemaError, StorageError
from ledger.vocabulary import ALIASES, FAMILIES
from tests.builders import game_started
from tests.gameplay.fakes import FakeRegistry
from tests.gameplay.faults import FaultyRegistry


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file with its content, but for SQLite's shared memory, which a reader makes and a close removes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith("-shm"):
            yield str(path.relative_to(folder)), path.read_bytes()


def test_a_dry_run_changes_no_file(data_dir: Path, registry: FaultyRegistry) -> None:
    before = list(files(data_dir))

    with closing(open_core(Settings(data_dir=data_dir), registry=registry, read_only=True)) as core:
        core.read_models.projector.start()
        decided, _ = planning.preview(core.promotion, "xgboost")
        shown = overview(core)
        core.read_models.projector.save(every=1)

    assert decided.decision == "insufficient_data"
    assert len(shown) == len(FAMILIES) * len(ALIASES)
    assert [(name, content) for name, content in files(data_dir) if content] == before


def test_read_models_are_folded_beyond_a_snapshot(data_dir: Path, registry: FaultyRegistry) -> None:
    settings = Settings(data_dir=data_dir)
    with closing(open_core(settings, registry=registry)) as core:
        core.read_models.projector.start()
        core.read_models.projector.save(every=1)
        core.ledger.append("game-g1", [game_started(game_id="g1")], 0)

    with closing(open_core(settings, registry=registry, read_only=True)) as core:
        core.read_models.projector.start()

        assert core.read_models.projector.position == core.ledger.head().position
        assert set(core.read_models.open_games.state.games) == {"g1"}


def test_an_append_is_refused(data_dir: Path, registry: FaultyRegistry) -> None:
    with (
        closing(open_core(Settings(data_dir=data_dir), registry=registry, read_only=True)) as core,
        pytest.raises(StorageError, match="readonly"),
    ):
        core.ledger.append("game-g1", [game_started(game_id="g1")], 0)


def test_a_version_from_the_registry_is_loaded_and_not_copied(data_dir: Path, registry: FaultyRegistry) -> None:
    shutil.rmtree(data_dir / "models")

    with closing(open_core(Settings(data_dir=data_dir), registry=registry, read_only=True)) as core:
        assert core.models.load("xgboost", 1) == "mlflow"

    assert not (data_dir / "models").exists()


def test_no_registry_is_made(data_dir: Path) -> None:
    shutil.rmtree(data_dir / "models")
    with closing(open_core(Settings(data_dir=data_dir), read_only=True)) as core:
        with pytest.raises(RegistryUnavailable, match="there is no sqlite"):
            core.registry.aliases("xgboost")
        with pytest.raises(ModelUnavailable):
            core.models.load("xgboost", 1)

    assert not (data_dir / "mlflow.db").exists()


def test_an_empty_folder_is_refused_and_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    with pytest.raises(StorageError, match=r"no ledger at .*data.*RPS_DATA_DIR.*rps setup"):
        open_core(Settings(data_dir=folder), registry=FakeRegistry(), read_only=True)

    assert not folder.exists()


def test_a_ledger_without_the_newest_migration_is_refused_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    sqlite3.connect(path).close()

    with pytest.raises(SchemaError, match="rps migrate"):
        open_core(Settings(data_dir=tmp_path), registry=FakeRegistry(), read_only=True)

    assert path.read_bytes() == b""
