import random
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
from gameplay.promotion import adoption
from gameplay.training.bot_games import play_bot_games
from gameplay.training.dataset import read_dataset
from gameplay.training.estimators import Hyperparameters, Line, Net, Trees
from gameplay.training.fit import Job
from gameplay.web.app import create_app
from ledger.events import Assignment
from ledger.vocabulary import ALIASES, FAMILIES, POLICIES, Family
from tests.gameplay.trainings import train
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
def trained(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `rps setup` leaves it, with smaller models: bot games, MLflow on SQLite."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(mlflow_database, folder)
    core = open_core(Settings(data_dir=folder))
    for _ in play_bot_games(core.ledger, FIRST_GAMES, random.Random(7)):
        pass
    dataset = read_dataset(core.ledger)
    for family in FAMILIES:
        versions: list[int] = []
        for alias, hyperparameters in zip(ALIASES, quick(family), strict=True):
            job = Job(family, alias, dataset)
            event = train(job, core.registry, core.store, hyperparameters, source="setup")
            assert event.model_version is not None, event.error
            core.ledger.record(event)
            versions.append(event.model_version)
        adoption.bootstrap(core.promotion, family, Assignment(**dict(zip(ALIASES, versions, strict=True))))
    core.close()
    return folder


def quick(family: Family) -> tuple[Hyperparameters, ...]:
    """Four sets that fit in no time."""
    match family:
        case "feedforward_nn":
            return tuple(Net(hidden=(16,), l2=1e-3, learning_rate=5e-3, epochs=12, seed=seed) for seed in range(4))
        case "xgboost":
            return tuple(Trees(trees=25, depth=4, learning_rate=0.3, seed=seed) for seed in range(4))
        case "multinomial_logistic":
            return tuple(Line(inverse_l2=1 / 10**power) for power in range(4))


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
