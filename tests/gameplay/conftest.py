import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.upgrade import upgrade
from ledger.vocabulary import ALIASES, FAMILIES
from tests.builders import aliases_assigned, training_completed
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.web_clients import serving


class Serve(Protocol):
    """Starts the service over the test's data folder; each start is a restart of the one before."""

    def __call__(self, other: Settings | None = None) -> AbstractContextManager[TestClient]: ...


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the set-up leaves it: the aliases of every family, and its tiny versions in the store."""
    folder = tmp_path_factory.mktemp("prepared")
    settings = Settings(data_dir=folder)
    engine = open_engine(settings.database_url)
    upgrade(engine)
    ledger, store, registry = Ledger(engine), open_model_store(settings.model_store_url), registry_with_versions()
    for family in FAMILIES:
        trained = [
            training_completed(
                model_type=family, alias=alias, model_version=version, holdout_accuracy=0.3 + version / 100
            )
            for version, alias in enumerate(ALIASES, start=1)
        ]
        ledger.append(f"training-{family}", trained, 0)
        ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)
        for version, alias in enumerate(ALIASES, start=1):
            store.put_model(family, registry.kept[family, version])
            store.set_marker(family, alias, version)
    engine.dispose()
    return folder


@pytest.fixture
def data_dir(prepared: Path, tmp_path: Path) -> Path:
    """The test's own copy of the prepared folder."""
    return shutil.copytree(prepared, tmp_path / "data")


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, promotion_schedule=None)


@pytest.fixture
def registry() -> FaultyRegistry:
    return registry_with_versions(count=6)


@pytest.fixture
def serve(settings: Settings, registry: FaultyRegistry) -> Serve:
    return lambda other=None: serving(other or settings, registry)


@pytest.fixture
def served(serve: Serve) -> Iterator[TestClient]:
    """The service, ready, over twelve tiny versions."""
    with serve() as client:
        yield client
