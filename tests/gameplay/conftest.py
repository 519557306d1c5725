import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.prepared import write_prepared
from tests.gameplay.web_clients import serving


class Serve(Protocol):
    """Starts the service over the test's data folder; each start is a restart of the one before."""

    def __call__(self, other: Settings | None = None) -> AbstractContextManager[TestClient]: ...


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the set-up leaves it, with tiny versions."""
    return write_prepared(tmp_path_factory.mktemp("prepared"))


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
