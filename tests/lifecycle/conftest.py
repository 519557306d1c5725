import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from starlette.testclient import TestClient

from gameplay.client.simulate import ScriptedPlayer
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.web.app import create_app
from ledger.vocabulary import POLICIES
from tests.gameplay.web_clients import BASE_URL, wait_until

FIRST_GAMES = 256
GAMES_A_POLICY = 20


class ServeFolder(Protocol):
    """Starts the service with some settings, and waits until it is ready."""

    def __call__(self, settings: Settings) -> AbstractContextManager[TestClient]: ...


def silently(steps: Iterable[Any], _what: str, _total: int) -> Iterable[Any]:
    return steps


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture(scope="session")
def played(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained folder after games of cal's against every policy, through HTTP."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("played") / "data")
    with serving(Settings(data_dir=folder, promotion_schedule=None)) as client:
        for policy in POLICIES:
            for _ in ScriptedPlayer(client, "cal", seed=3).games(policy, GAMES_A_POLICY):
                pass
    return folder


@pytest.fixture
def data_dir(trained: Path, tmp_path: Path) -> Path:
    """The test's own copy of the trained folder."""
    return shutil.copytree(trained, tmp_path / "data")


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, promotion_schedule=None, training_legacy_stride=1)


@pytest.fixture
def core(settings: Settings) -> Iterator[Core]:
    core = open_core(settings)
    core.read_models.projector.start()
    yield core
    core.close()
