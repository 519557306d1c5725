"""One training run, with hyperparameters of the test's own."""

from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.training.estimators import HYPERPARAMETERS, Hyperparameters
from gameplay.training.fit import Job, Known, train_all
from ledger.events import TrainingCompleted
from ledger.vocabulary import Family


def unknown(_family: Family, _version: int) -> None:
    """Of a ledger that knows no run."""


def train(
    job: Job,
    registry: Registry,
    store: ModelStore,
    hyperparameters: Hyperparameters | None = None,
    *,
    source: str = "test",
    known: Known = unknown,
) -> TrainingCompleted:
    """The event of the run, which is not recorded."""
    chosen = hyperparameters or HYPERPARAMETERS[job.family][job.alias]
    (event,) = train_all(
        [job],
        registry,
        store,
        source=source,
        record=lambda _event: None,
        known=known,
        hyperparameters={job.family: {job.alias: chosen}},
    )
    return event
