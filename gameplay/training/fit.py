"""A training run: fit, compare with its graph, measure, register, copy to the store, record.

A run moves no alias; that is the promotion's to do. Good or bad, it ends in one `training.completed` event.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from gameplay.models.artifacts import (
    FEATURES_DIGEST,
    ModelCard,
    ModelFiles,
    Registered,
    Score,
    TrainedModel,
    digest,
)
from gameplay.models.errors import ModelError, StoreError, TrainingError, VersionReused
from gameplay.models.graph import Graph
from gameplay.models.identity import contradiction
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from gameplay.training.code_version import code_version, libraries, origin_now
from gameplay.training.dataset import Dataset, Part
from gameplay.training.estimators import HYPERPARAMETERS, Fitted, Hyperparameters, fit
from gameplay.training.landing import Landing
from gameplay.training.plots import confusion_matrix
from gameplay.training.rehearsal import PLAYER, rehearse
from ledger.events import TrainingCompleted, VersionRun
from ledger.masking import Masking, mask_addresses
from ledger.vocabulary import POLICY_OF_FAMILY, Alias, Family, Policy

log = logging.getLogger(__name__)

DIFFERENCE_MAX: Final = 1e-4
"""Between an estimator's probabilities and its graph's: float32 against double gives some 1e-7."""


Known = Callable[[Family, int], VersionRun | None]
"""What the ledger knows of the run behind a version."""


class Job(NamedTuple):
    """A version to be trained for an alias, from a data set."""

    family: Family
    alias: Alias
    dataset: Dataset


def train_all(
    jobs: Sequence[Job],
    registry: Registry,
    store: ModelStore,
    *,
    source: str,
    record: Callable[[TrainingCompleted], object],
    known: Known,
    landing: Landing | None = None,
    folds: int = 0,
    workers: int = 2,
    masked: Masking = mask_addresses,
    hyperparameters: Mapping[Family, Mapping[Alias, Hyperparameters]] = HYPERPARAMETERS,
) -> Generator[TrainingCompleted]:
    """Train many; each event as it comes, recorded. Families run side by side, one family's jobs in their order.

    A caller that leaves early waits for the runs that are under way, and no other begins. `record` is called on
    the thread that has registered the version, and in `landing` with it: left to the caller, a version would be in
    the registry and not in the ledger whenever the caller goes away. What it raises is raised here. A run that
    fails is an event too, and so is a version with a number behind which the ledger has `known` another run.
    """
    landing = landing or Landing()
    done: SimpleQueue[TrainingCompleted | Future[None]] = SimpleQueue()
    leaving = threading.Event()

    def run(family: Family) -> None:
        for job in jobs:
            if job.family == family and not leaving.is_set():
                fitted = _fitted(job, source, hyperparameters[family][job.alias], folds, masked)
                with landing:
                    event = _landed(fitted, registry, store, known, masked)
                    record(event)
                    if event.model_version is not None:
                        landing.recorded.append(f"version {event.model_version} of {family} for {job.alias}")
                done.put(event)

    families = list(dict.fromkeys(job.family for job in jobs))
    with ThreadPoolExecutor(workers, thread_name_prefix="training") as pool:
        try:
            for family in families:
                pool.submit(run, family).add_done_callback(done.put)
            running = len(families)
            while running:
                match done.get():
                    case TrainingCompleted() as event:
                        yield event
                    case ended:
                        running -= 1
                        ended.result()
        finally:
            leaving.set()
            pool.shutdown(wait=False, cancel_futures=True)


class _Fitted(NamedTuple):
    """A job with its model, or with what went wrong."""

    job: Job
    source: str
    started_seconds: float
    trained: TrainedModel | None
    error: str | None


def _fitted(job: Job, source: str, hyperparameters: Hyperparameters, folds: int, masked: Masking) -> _Fitted:
    started_seconds, trained, problem = time.monotonic(), None, None
    try:
        trained = fit_model(job, hyperparameters, folds=folds, trainer=source)
    except ModelError as error:
        problem = _problem(job, error)
    except Exception as error:  # a run's outermost frame: three libraries fit and convert, each with its own
        log.exception("training %s for %s failed", job.family, job.alias)
        problem = f"{type(error).__name__}: {error}"
    return _Fitted(job, source, started_seconds, trained, masked(problem) if problem else None)


def _landed(
    fitted: _Fitted, registry: Registry, store: ModelStore, known: Known, masked: Masking
) -> TrainingCompleted:
    """Register and copy the model; the event of the run, whatever became of it."""
    job, trained, problem = fitted.job, fitted.trained, fitted.error
    if trained is not None:
        try:
            landed = _register(registry, job.family, trained, known)
            files = ModelFiles(landed.version, landed.run_id, trained.card, trained.onnx)
            _copy(store, job.family, files)
        except ModelError as error:
            problem = _problem(job, error)
        except Exception as error:  # a run's outermost frame, as above
            log.exception("registering %s for %s failed", job.family, job.alias)
            problem = f"{type(error).__name__}: {error}"
        else:
            return succeeded(files, fitted.source, time.monotonic() - fitted.started_seconds)
    assert problem is not None
    return _failed(job, fitted.source, time.monotonic() - fitted.started_seconds, masked(problem))


def _problem(job: Job, error: ModelError) -> str:
    log.warning("training %s for %s failed: %s", job.family, job.alias, error)
    return str(error)


def fit_model(job: Job, hyperparameters: Hyperparameters, *, folds: int = 0, trainer: str = "") -> TrainedModel:
    """Fit on the first 60 % of the games and measure on each part, through the graph that will serve.

    With `folds`, the same hyperparameters are also cross-validated, which says how far the hold-out's accuracy
    depends on which games are in it. Raises TrainingError, also when graph and estimator disagree on the
    hold-out rows.
    """
    origin = origin_now(trainer)
    split = job.dataset.split()
    fitted = fit(hyperparameters, split)
    graph = Graph(fitted.onnx)
    difference = compare(fitted, graph, split.holdout)
    predicted, graph_digest = _predicted(graph, split.holdout), digest(fitted.onnx)
    card = ModelCard(
        family=job.family,
        alias=job.alias,
        onnx_digest=graph_digest,
        features_digest=FEATURES_DIGEST,
        hyperparameters=msgspec.to_builtins(hyperparameters),
        source=job.dataset.source,
        training=_score(_predicted(graph, split.training), split.training.targets),
        validation=_score(_predicted(graph, split.validation), split.validation.targets),
        holdout=_score(predicted, split.holdout.targets),
        by_opponent=_by_opponent(predicted, split.holdout),
        own_by_opponent=_by_opponent(predicted, split.holdout, POLICY_OF_FAMILY[job.family]),
        rehearsal={PLAYER: rehearse(graph, job.family, graph_digest)},
        folds=cross_validate(job.dataset, hyperparameters, folds) if folds else (),
        code_version=code_version(),
        libraries=libraries(),
        difference_max=difference,
    )
    attachments = {
        fitted.estimator_file: fitted.estimator,
        "confusion_matrix.png": confusion_matrix(predicted, split.holdout.targets, _title(card)),
        "dataset.json": msgspec.json.format(msgspec.json.encode(job.dataset.source)),
    }
    return TrainedModel(card, fitted.onnx, attachments, fitted.curves, origin)


def _title(card: ModelCard) -> str:
    share = f", {card.holdout.accuracy:.1%} right" if card.holdout.accuracy is not None else ""
    return f"{card.family} for {card.alias}\n{card.holdout.rows:,} hold-out rounds{share}"


def cross_validate(dataset: Dataset, hyperparameters: Hyperparameters, folds: int) -> tuple[Score, ...]:
    """The score on each fold of games, by an estimator that has seen nothing of them. Raises TrainingError."""
    scores = []
    for split in dataset.folds(folds):
        predicted = fit(hyperparameters, split).probabilities(split.holdout.rows).argmax(axis=1)
        scores.append(_score(predicted, split.holdout.targets))
    return tuple(scores)


def compare(fitted: Fitted, graph: Graph, part: Part) -> float:
    """How far the graph's probabilities are from those of the estimator that it was made from, at most.

    Raises TrainingError where that is no rounding.
    """
    difference = float(np.abs(graph.scores(part.rows) - fitted.probabilities(part.rows)).max())
    if not difference <= DIFFERENCE_MAX:
        raise TrainingError(
            f"graph and estimator differ by {difference:.2g} on {len(part.rows)} hold-out rows, "
            f"more than {DIFFERENCE_MAX:.0e}"
        )
    return difference


def _predicted(graph: Graph, part: Part) -> npt.NDArray[np.int64]:
    predicted: npt.NDArray[np.int64] = graph.scores(part.rows).argmax(axis=1)
    return predicted


def _score(predicted: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> Score:
    return Score(int((predicted == targets).sum()), len(targets))


def _by_opponent(predicted: npt.NDArray[np.int64], part: Part, policy: Policy | None = None) -> dict[str, Score]:
    """The score for each player; with `policy`, over the games against that one alone."""
    chosen = np.ones(len(part.rows), dtype=bool) if policy is None else part.policies == policy
    scores = {}
    for opponent in np.unique(part.opponents[chosen]):
        rows = chosen & (part.opponents == opponent)
        scores[str(opponent)] = _score(predicted[rows], part.targets[rows])
    return scores


def _register(registry: Registry, family: Family, trained: TrainedModel, known: Known) -> Registered:
    """Register the version. Raises VersionReused where its number is another run's, for which it must not pass."""
    landed = registry.register(family, trained)
    found = VersionRun(version=landed.version, run_id=landed.run_id, graph_sha256=trained.card.onnx_digest)
    if problem := contradiction(known(family, landed.version), found):
        registry.discard(family, landed)
        raise VersionReused(family, landed.version, problem)
    return landed


def _copy(store: ModelStore, family: Family, files: ModelFiles) -> None:
    try:
        store.put_model(family, files)
    except StoreError as error:
        # The version is registered, and that is what counts: loading it copies it again.
        log.warning("version %d of %s is not copied: %s", files.version, family, error)


def succeeded(files: ModelFiles, source: str, duration_seconds: float | None) -> TrainingCompleted:
    """The event of a run that gave a version, from its card."""
    card = files.card
    return TrainingCompleted(
        model_type=card.family,
        alias=card.alias,
        status="success",
        source=source,
        duration_seconds=duration_seconds,
        model_version=files.version,
        run_id=files.run_id,
        rows=card.source.rows,
        training_accuracy=card.training.accuracy,
        holdout_accuracy=card.holdout.accuracy,
        after_position=card.source.after_position,
        through_position=card.source.through_position,
        error=None,
    )


def _failed(job: Job, source: str, duration_seconds: float, error: str) -> TrainingCompleted:
    return TrainingCompleted(
        model_type=job.family,
        alias=job.alias,
        status="failure",
        source=source,
        duration_seconds=duration_seconds,
        model_version=None,
        run_id=None,
        rows=job.dataset.source.rows,
        training_accuracy=None,
        holdout_accuracy=None,
        after_position=job.dataset.source.after_position,
        through_position=job.dataset.source.through_position,
        error=error[:4_000],
    )
