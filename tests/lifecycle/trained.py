"""A data folder as `rps setup` leaves it, with smaller models that fit in no time."""

import random
from pathlib import Path

from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.promotion import adoption
from gameplay.training.bot_games import play_bot_games
from gameplay.training.dataset import read_dataset
from gameplay.training.estimators import Hyperparameters, Line, Net, Trees
from gameplay.training.fit import Job
from ledger.events import Assignment
from ledger.vocabulary import ALIASES, FAMILIES, Family
from tests.gameplay.trainings import train

FIRST_GAMES = 256


def write_trained(folder: Path) -> Path:
    """Bot games, twelve small models, MLflow on SQLite, in a folder that may hold MLflow's empty database."""
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
