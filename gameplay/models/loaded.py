"""Which versions are ready to predict, and how the others get ready: memory, model store, registry.

A move never waits. A version that is not in memory answers uniformly and says why, while one thread of its
own tries to load it, less and less often. Whatever is asked of store or registry happens on that thread or on
that of a caller who wants to wait.
"""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import NamedTuple

from gameplay.game.games import Prediction, Step
from gameplay.game.policies import UNIFORM
from gameplay.models.artifacts import FEATURES_DIGEST, ModelCard, ModelFiles
from gameplay.models.errors import (
    GraphError,
    ModelDamaged,
    ModelUnavailable,
    RegistryError,
    RegistryUnavailable,
    StoreError,
)
from gameplay.models.graph import Graph, Rows
from gameplay.models.identity import contradiction, registered, stored
from gameplay.models.registry import Registry
from gameplay.models.store import ModelStore
from ledger.events import Assignment, VersionRun
from ledger.facts import Probabilities
from ledger.vocabulary import ALIASES, MOVES, Family, Move, ProbabilitySource

log = logging.getLogger(__name__)

Key = tuple[Family, int]

RETRY_SECONDS_MIN = 1.0
RETRY_SECONDS_MAX = 300.0
KEPT_A_FAMILY = 24
CLOSE_SECONDS_MAX = 2.0
LOADERS = 10  # as many connections as the registry's client keeps

NEVER_TRIED = (Step("minio_miss", "the version is not in memory, and is being loaded"),)
NO_VERSIONS = (Step("mlflow_miss", "the family has no versions yet"),)


class Loaded:
    """A version in memory, where it came from, and when it was last used (a count, not a time)."""

    __slots__ = ("card", "graph", "run", "source", "used")

    def __init__(self, graph: Graph, files: ModelFiles, source: str) -> None:
        self.graph = graph
        self.card = files.card
        self.run = files.run
        self.source = source
        self.used = 0


class _Failure(NamedTuple):
    steps: tuple[Step, ...]
    attempts: int
    failed_at_seconds: float
    retry_at_seconds: float


class _Coming(NamedTuple):
    """A version that callers wait for, until then by the clock."""

    is_settled: threading.Event
    until_seconds: float


class _Answer(NamedTuple):
    probabilities: Probabilities
    predicted: Move
    source: ProbabilitySource
    steps: tuple[Step, ...]


class Models:
    """The versions in memory. `predict` is for the event loop; `load` and `preload` block.

    Each dictionary is only ever changed by single, atomic operations, so `predict` takes no lock that a load
    could hold.
    """

    def __init__(
        self,
        store: ModelStore,
        registry: Registry,
        *,
        known: Callable[[Family, int], VersionRun | None] = lambda _family, _version: None,
        clock: Callable[[], float] = time.monotonic,
        kept_a_family: int = KEPT_A_FAMILY,
        refill: bool = True,
    ) -> None:
        """`refill`: whether a version that came from the registry is copied to the store."""
        self._store = store
        self._registry = registry
        self._known = known
        self._clock = clock
        self._kept_a_family = kept_a_family
        self._refill = refill
        self._loaded: dict[Key, Loaded] = {}
        self._failures: dict[Key, _Failure] = {}
        self._fetched_at_seconds = -math.inf
        self._wanted: frozenset[Key] = frozenset()
        self._uses = itertools.count(1)
        self._locks: dict[Key, threading.Lock] = {}
        self._asked: set[Key] = set()
        self._coming: dict[Key, _Coming] = {}
        self._stopped = threading.Event()
        self._queue: SimpleQueue[Key | None] = SimpleQueue()
        self._loader = threading.Thread(target=self._load_asked, name="model-loader", daemon=True)
        self._loader.start()

    def predict(self, family: Family, assignment: Assignment | None, row: Rows) -> tuple[Prediction, ...]:
        """What each of the four aliases expects for one row of 50 features. Never raises, never waits."""
        if assignment is None:
            return tuple(Prediction(alias, None, *_uniform(NO_VERSIONS)) for alias in ALIASES)
        rows = row.reshape(1, -1)
        answers: dict[int, _Answer] = {}
        predictions = []
        versions = (assignment.Production, assignment.B, assignment.shadow1, assignment.shadow2)
        for alias, version in zip(ALIASES, versions, strict=True):
            answer = answers.get(version)
            if answer is None:
                answer = answers[version] = self._answer((family, version), rows)
            predictions.append(Prediction(alias, version, *answer))
        return tuple(predictions)

    def load(self, family: Family, version: int) -> str:
        """Make a version ready, back-off or not: `memory`, `minio` (the model store) or `mlflow` had it.

        What had to come from the registry is copied to the store. What is of another run than the ledger knows is
        as good as not there. Raises ModelUnavailable, whose steps say what was tried.
        """
        return self._ensure((family, version))[1]

    def identify(self, family: Family, version: int) -> VersionRun:
        """Make a version ready, as `load` does, and say what it is. Raises ModelUnavailable."""
        return self._ensure((family, version))[0].run

    def preload(
        self, wanted: Iterable[Key], *, seconds_max: float | None = None
    ) -> dict[Key, str | ModelUnavailable]:
        """Load many at once; each key gets its source or its error.

        After `seconds_max` the caller waits no longer: what is under way goes on in the background, and what has
        not begun is left to the next caller.
        """
        pool = ThreadPoolExecutor(LOADERS, thread_name_prefix="model-preload")
        try:
            loads = {key: pool.submit(self._try, key) for key in dict.fromkeys(wanted)}
            done, _ = wait(loads.values(), seconds_max)
            return {key: load.result() if load in done else _late(key) for key, load in loads.items()}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def make_ready(self, family: Family, versions: Iterable[int], seconds_max: float) -> None:
        """Have the versions loaded, and wait for them.

        Each version is waited for during so many seconds in all, whatever the number of callers, and not at all
        while a load of it has failed a moment ago: a store that hangs makes the first callers wait, once.
        """
        for version in dict.fromkeys(versions):
            key = (family, version)
            failure = self._failures.get(key)
            if key in self._loaded or (failure is not None and not self._is_due(failure)):
                continue
            coming = self._coming.setdefault(key, _Coming(threading.Event(), self._clock() + seconds_max))
            self.ask(*key)
            if key in self._loaded:  # since the look: nothing would end the wait
                self._settled(key)
            coming.is_settled.wait(max(0.0, coming.until_seconds - self._clock()))

    def ask(self, family: Family, version: int) -> None:
        """Have a version loaded in the background, unless it is there, under way or failed a moment ago."""
        key = (family, version)
        if key in self._loaded or key in self._asked:
            return
        failure = self._failures.get(key)
        if failure is None or self._is_due(failure):
            self._asked.add(key)
            self._queue.put(key)

    def retain(self, wanted: Iterable[Key]) -> None:
        """From now on keep these and, for games that still play on others, those that were used last."""
        self._wanted = frozenset(wanted)
        self._drop()

    def is_loaded(self, family: Family, version: int) -> bool:
        """Whether the version is in memory."""
        return (family, version) in self._loaded

    def failure(self, family: Family, version: int) -> tuple[Step, ...]:
        """The steps of the version's last failed load; none when it is loaded or was never tried."""
        failure = self._failures.get((family, version))
        return failure.steps if failure else ()

    def sources(self) -> dict[Key, str]:
        """Where each version in memory came from."""
        return {key: loaded.source for key, loaded in self._loaded.copy().items()}

    def card(self, family: Family, version: int) -> ModelCard | None:
        """The card of a version in memory."""
        loaded = self._loaded.get((family, version))
        return loaded.card if loaded else None

    def run_id(self, family: Family, version: int) -> str | None:
        """The run that a version in memory came of."""
        loaded = self._loaded.get((family, version))
        return loaded.run.run_id if loaded else None

    def stop(self) -> None:
        """Begin no further load for `ask` and `preload`."""
        self._stopped.set()

    def is_alive(self) -> bool:
        """Whether versions are still loaded in the background."""
        return self._loader.is_alive()

    def close(self) -> None:
        """Stop the loader; a load that is under way ends by its own time limits, and what still waits is left."""
        self.stop()
        self._queue.put(None)
        self._loader.join(CLOSE_SECONDS_MAX)

    def _answer(self, key: Key, rows: Rows) -> _Answer:
        loaded = self._loaded.get(key)
        if loaded is None:
            self.ask(*key)
            failure = self._failures.get(key)
            return _uniform(failure.steps if failure else NEVER_TRIED)
        loaded.used = next(self._uses)
        try:
            probabilities = loaded.graph.probabilities(rows)
        except GraphError as error:
            return _uniform((Step("predict_error", str(error)),))
        # index() finds the first of equals, which is the order of MOVES.
        return _Answer(probabilities, MOVES[probabilities.index(max(probabilities))], "model", ())

    def _ensure(self, key: Key) -> tuple[Loaded, str]:
        """The version, ready, and where it was found."""
        with self._locks.setdefault(key, threading.Lock()):
            if (held := self._loaded.get(key)) and not contradiction(self._known(*key), held.run):
                return held, "memory"
            try:
                loaded = self._fetch(*key)
            except ModelUnavailable as error:
                self._failures[key] = self._failed(key, error)
                self._settled(key)
                raise
            self._fetched_at_seconds = self._clock()
            loaded.used = next(self._uses)
            self._loaded[key] = loaded
            self._failures.pop(key, None)
            self._settled(key)
        self._drop()
        return loaded, loaded.source

    def _settled(self, key: Key) -> None:
        if coming := self._coming.pop(key, None):
            coming.is_settled.set()

    def _fetch(self, family: Family, version: int) -> Loaded:
        steps: list[Step] = []
        known = self._known(family, version)
        try:
            return _ready(stored(self._store, family, version, known), "minio")
        except (GraphError, ModelDamaged) as error:
            steps.append(Step("load_error", str(error)))
        except StoreError as error:
            steps.append(Step("minio_miss", str(error)))
        try:
            files = registered(self._registry, family, version, known)
            loaded = _ready(files, "mlflow")
        except GraphError as error:
            raise ModelUnavailable(family, version, (*steps, Step("load_error", str(error)))) from error
        except RegistryError as error:
            away = error if isinstance(error, RegistryUnavailable) else None
            steps.append(Step("mlflow_miss", str(error)))
            raise ModelUnavailable(family, version, steps, registry=away) from error
        if self._refill:
            self._copy(family, files)
        return loaded

    def _copy(self, family: Family, files: ModelFiles) -> None:
        try:
            self._store.put_model(family, files)
        except StoreError as error:
            # The version is in memory and serves; the store gets it with the next load.
            log.warning("version %d of %s is not copied: %s", files.version, family, error)

    def _is_due(self, failure: _Failure) -> bool:
        # Another version has come since: what was out of reach is back, and five minutes need not pass.
        came_back = failure.failed_at_seconds < self._fetched_at_seconds
        return came_back or self._clock() >= failure.retry_at_seconds

    def _failed(self, key: Key, error: ModelUnavailable) -> _Failure:
        before = self._failures.get(key)
        attempts = before.attempts + 1 if before else 1
        # The exponent is bounded too: a store that is down for a week would overflow a float.
        wait_seconds = min(RETRY_SECONDS_MIN * 2 ** min(attempts - 1, 16), RETRY_SECONDS_MAX)
        steps = tuple(Step(reason, detail) for reason, detail in error.steps)
        now_seconds = self._clock()
        return _Failure(steps, attempts, now_seconds, now_seconds + wait_seconds)

    def _try(self, key: Key) -> str | ModelUnavailable:
        if self._stopped.is_set():
            return ModelUnavailable(*key, (Step("minio_miss", "nothing is loaded any more: the service ends"),))
        try:
            return self.load(*key)
        except ModelUnavailable as error:
            return error

    def _load_asked(self) -> None:
        while (key := self._queue.get()) is not None and not self._stopped.is_set():
            try:
                outcome = self._try(key)
                if isinstance(outcome, ModelUnavailable):
                    log.warning("%s", outcome)
            except BaseException as error:  # the thread's outermost loop: without it nothing would be loaded again
                log.exception("loading version %d of %s failed", key[1], key[0])
                unexpected = ModelUnavailable(*key, (Step("load_error", repr(error)),))
                self._failures[key] = self._failed(key, unexpected)
                self._settled(key)
            finally:
                self._asked.discard(key)

    def _drop(self) -> None:
        by_use = sorted(self._loaded.copy().items(), key=lambda item: item[1].used, reverse=True)
        kept: dict[Family, int] = {}
        for key, _ in by_use:
            kept[key[0]] = kept.get(key[0], 0) + 1
            if kept[key[0]] > self._kept_a_family and key not in self._wanted:
                self._loaded.pop(key, None)


def _ready(files: ModelFiles, source: str) -> Loaded:
    if files.card.features_digest != FEATURES_DIGEST:
        raise GraphError("the version was trained on other features than this release computes")
    return Loaded(Graph(files.onnx), files, source)


def _late(key: Key) -> ModelUnavailable:
    return ModelUnavailable(*key, (Step("mlflow_miss", "it did not come in time, and is being waited for"),))


def _uniform(steps: tuple[Step, ...]) -> _Answer:
    return _Answer(UNIFORM, MOVES[0], "uniform", steps)
