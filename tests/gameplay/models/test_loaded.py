import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
from obstore.store import MemoryStore

from gameplay.game.policies import UNIFORM
from gameplay.models.artifacts import ModelFiles
from gameplay.models.errors import ModelUnavailable
from gameplay.models.loaded import RETRY_SECONDS_MAX, Models
from gameplay.models.store import ObjectModelStore
from ledger.events import VersionRun
from ledger.vocabulary import ALIASES, Family
from tests.builders import assignment
from tests.gameplay.fakes import FakeRegistry, SwitchedStore
from tests.gameplay.graphs import NAN, WIDTH, card, constant_graph, files
from tests.patience import PATIENCE_SECONDS

ROW = np.zeros(WIDTH, np.float32)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def objects() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(objects: MemoryStore) -> SwitchedStore:
    return SwitchedStore(ObjectModelStore(objects))


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def models(store: SwitchedStore, registry: FakeRegistry, clock: Clock) -> Iterator[Models]:
    models = Models(store, registry, clock=clock, kept_a_family=4)
    yield models
    models.close()


def settled(models: Models) -> None:
    """Wait until the background has nothing left to load."""
    wait_for(lambda: not models._asked)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)


def reasons(models: Models, version: int = 1, family: Family = "xgboost") -> list[str]:
    """The reasons of the steps with which one version falls back now; none when it is served."""
    predictions = models.predict(family, assignment((version,) * 4), ROW)
    assert len({prediction.steps for prediction in predictions}) == 1
    return [step.reason for step in predictions[0].steps]


def test_each_alias_predicts_with_its_own_version(models: Models, store: SwitchedStore) -> None:
    scores = {1: (1, 0, 0), 2: (0, 1, 0), 3: (0, 0, 1), 4: (0.25, 0.25, 0.5)}
    for version, of_version in scores.items():
        store.put_model("xgboost", files(version, of_version))
        models.load("xgboost", version)

    predictions = models.predict("xgboost", assignment((3, 1, 4, 2)), ROW)

    assert [prediction.alias for prediction in predictions] == list(ALIASES)
    assert [prediction.version for prediction in predictions] == [3, 1, 4, 2]
    assert [prediction.probabilities for prediction in predictions] == [
        scores[version] for version in (3, 1, 4, 2)
    ]
    assert [prediction.predicted for prediction in predictions] == ["scissors", "rock", "scissors", "paper"]
    assert {(prediction.source, prediction.steps) for prediction in predictions} == {("model", ())}


def test_a_version_behind_two_aliases_runs_once(models: Models, store: SwitchedStore) -> None:
    store.put_model("xgboost", files(1))
    models.load("xgboost", 1)

    first, second, *_ = models.predict("xgboost", assignment((1, 1, 1, 1)), ROW)

    assert first.probabilities is second.probabilities


def test_among_equals_the_first_move_is_predicted(models: Models, store: SwitchedStore) -> None:
    store.put_model("xgboost", files(1, (0.2, 0.4, 0.4)))
    models.load("xgboost", 1)

    assert models.predict("xgboost", assignment((1, 1, 1, 1)), ROW)[0].predicted == "paper"


def test_families_do_not_share_versions(models: Models, store: SwitchedStore) -> None:
    store.put_model("xgboost", files(1))
    models.load("xgboost", 1)

    assert models.is_loaded("xgboost", 1)
    assert not models.is_loaded("feedforward_nn", 1)
    # The background may have asked the registry too by now.
    assert reasons(models, family="feedforward_nn")[0] == "minio_miss"


def test_a_family_without_aliases_predicts_uniformly(models: Models) -> None:
    predictions = models.predict("xgboost", None, ROW)

    assert [(prediction.alias, prediction.version) for prediction in predictions] == [
        (alias, None) for alias in ALIASES
    ]
    assert all(prediction.probabilities == UNIFORM and prediction.steps for prediction in predictions)


def test_a_version_comes_from_the_store_and_then_from_memory(
    models: Models, store: SwitchedStore, registry: FakeRegistry
) -> None:
    store.put_model("xgboost", files(1))

    assert models.load("xgboost", 1) == "minio"
    assert models.load("xgboost", 1) == "memory"
    assert models.sources() == {("xgboost", 1): "minio"}
    assert models.card("xgboost", 1) == files(1).card
    assert registry.downloads == []


@pytest.mark.parametrize("store_down", [False, True])
def test_a_version_that_the_store_cannot_give_comes_from_mlflow(
    models: Models, store: SwitchedStore, registry: FakeRegistry, store_down: bool
) -> None:
    registry.keep("xgboost", files(1))
    store.down = store_down

    assert models.load("xgboost", 1) == "mlflow"

    store.down = False
    assert store.versions("xgboost") == ({} if store_down else {1: "run-xgboost-1"})


def test_a_damaged_copy_is_replaced_from_mlflow(
    models: Models, objects: MemoryStore, store: SwitchedStore, registry: FakeRegistry
) -> None:
    registry.keep("xgboost", files(1))
    store.put_model("xgboost", files(1))
    objects.put("run-xgboost-1/model.onnx", b"damaged")

    assert models.load("xgboost", 1) == "mlflow"
    assert store.get_model("xgboost", 1) == files(1)


def test_a_version_that_is_nowhere_says_what_was_tried(models: Models) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        models.load("xgboost", 1)

    assert [reason for reason, _ in caught.value.steps] == ["minio_miss", "mlflow_miss"]
    assert reasons(models) == ["minio_miss", "mlflow_miss"]
    assert models.failure("xgboost", 1) == caught.value.steps


UNSERVABLE = {
    "no graph": ModelFiles(1, "run", card(b"no graph"), b"no graph"),
    "another shape": ModelFiles(1, "run", card(constant_graph((1, 0))), constant_graph((1, 0))),
    "other features": ModelFiles(
        1, "run", card(constant_graph((1, 0, 0)), features_digest="other"), constant_graph((1, 0, 0))
    ),
}


@pytest.mark.parametrize("unservable", UNSERVABLE.values(), ids=list(UNSERVABLE))
def test_a_version_that_cannot_serve_is_a_load_error_wherever_it_is_from(
    models: Models, store: SwitchedStore, registry: FakeRegistry, unservable: ModelFiles
) -> None:
    store.put_model("xgboost", unservable)
    registry.keep("xgboost", unservable)

    with pytest.raises(ModelUnavailable) as caught:
        models.load("xgboost", 1)

    assert [reason for reason, _ in caught.value.steps] == ["load_error", "load_error"]
    assert not models.is_loaded("xgboost", 1)


def test_scores_that_are_no_probabilities_fall_back(models: Models, store: SwitchedStore) -> None:
    store.put_model("xgboost", files(1, (NAN, 0, 1)))
    models.load("xgboost", 1)

    prediction = models.predict("xgboost", assignment((1, 1, 1, 1)), ROW)[0]

    assert (prediction.probabilities, prediction.predicted, prediction.source) == (UNIFORM, "rock", "uniform")
    assert [step.reason for step in prediction.steps] == ["predict_error"]


@pytest.mark.parametrize("row", [np.zeros(WIDTH - 1, np.float32), np.zeros(WIDTH, np.float64)])
def test_a_row_that_no_graph_takes_falls_back(models: Models, store: SwitchedStore, row: np.ndarray) -> None:
    store.put_model("xgboost", files(1))
    models.load("xgboost", 1)

    assert [step.reason for step in models.predict("xgboost", assignment((1, 1, 1, 1)), row)[0].steps] == [
        "predict_error"
    ]


def test_a_version_that_is_asked_for_is_there_soon(models: Models, store: SwitchedStore) -> None:
    store.put_model("xgboost", files(1))

    assert reasons(models) == ["minio_miss"]

    wait_for(lambda: models.is_loaded("xgboost", 1))
    assert reasons(models) == []


def test_a_prediction_does_not_wait_for_a_load(clock: Clock) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class SlowRegistry(FakeRegistry):
        def download(self, family: Family, version: int) -> ModelFiles:
            asked.set()
            assert go_on.wait(PATIENCE_SECONDS)
            return super().download(family, version)

    registry = SlowRegistry()
    registry.keep("xgboost", files(1))
    models = Models(ObjectModelStore(MemoryStore()), registry, clock=clock)

    assert reasons(models) == ["minio_miss"]
    assert asked.wait(PATIENCE_SECONDS)
    assert reasons(models) == ["minio_miss"]  # the load is under way, and stands still until it is let go on
    assert reasons(models, version=2) == ["minio_miss"]
    go_on.set()

    wait_for(lambda: models.is_loaded("xgboost", 1))
    assert registry.downloads.count(("xgboost", 1)) == 1
    models.close()


def test_a_failed_load_is_repeated_less_and_less_often(
    models: Models, registry: FakeRegistry, clock: Clock
) -> None:
    waits = []
    for attempt in range(1, 13):
        reasons(models)
        settled(models)
        assert len(registry.downloads) == attempt
        asked_at = clock.now
        while len(registry.downloads) == attempt:
            clock.now += 0.5
            reasons(models)
            settled(models)
        waits.append(clock.now - asked_at)
        clock.now += 0.001

    assert waits[:5] == pytest.approx([1, 2, 4, 8, 16], abs=0.51)
    assert waits[-1] == pytest.approx(RETRY_SECONDS_MAX, abs=0.51)


def test_nothing_is_asked_of_registry_or_store_in_a_back_off(models: Models, registry: FakeRegistry) -> None:
    reasons(models)
    settled(models)

    for _ in range(100):
        assert reasons(models) == ["minio_miss", "mlflow_miss"]
    settled(models)

    assert len(registry.downloads) == 1


def test_models_recover_when_store_and_registry_come_back(
    models: Models, store: SwitchedStore, registry: FakeRegistry, clock: Clock
) -> None:
    store.put_model("xgboost", files(1))
    store.down = registry.down = True
    reasons(models)
    settled(models)
    assert reasons(models) == ["minio_miss", "mlflow_miss"]

    store.down = False
    clock.now += RETRY_SECONDS_MAX
    reasons(models)
    settled(models)

    assert reasons(models) == []
    assert models.failure("xgboost", 1) == ()


def test_one_version_that_comes_ends_the_back_off_of_the_others(
    models: Models, store: SwitchedStore, clock: Clock
) -> None:
    for version in (1, 2):
        store.put_model("xgboost", files(version))
    store.down = True
    for version in (1, 2):
        reasons(models, version=version)
    settled(models)
    store.down = False
    clock.now += 0.1  # not long enough for a second attempt
    assert reasons(models, version=2) == ["minio_miss", "mlflow_miss"]
    settled(models)
    assert not models.is_loaded("xgboost", 2)

    models.load("xgboost", 1)
    reasons(models, version=2)
    settled(models)

    assert models.is_loaded("xgboost", 2)


def test_a_load_that_is_asked_for_by_hand_does_not_back_off(models: Models, store: SwitchedStore) -> None:
    with pytest.raises(ModelUnavailable):
        models.load("xgboost", 1)
    store.put_model("xgboost", files(1))

    assert models.load("xgboost", 1) == "minio"


def test_the_background_survives_an_unexpected_error(clock: Clock) -> None:
    class BrokenRegistry(FakeRegistry):
        def download(self, family: Family, version: int) -> ModelFiles:
            if version == 1:
                raise ZeroDivisionError("a bug")
            return super().download(family, version)

    registry = BrokenRegistry()
    registry.keep("xgboost", files(2))
    models = Models(ObjectModelStore(MemoryStore()), registry, clock=clock)
    reasons(models, version=1)
    settled(models)

    assert reasons(models, version=1) == ["load_error"]
    reasons(models, version=2)
    wait_for(lambda: models.is_loaded("xgboost", 2))
    models.close()


def test_two_callers_load_a_version_once(models: Models, registry: FakeRegistry) -> None:
    registry.keep("xgboost", files(1))
    sources: list[str] = []
    callers = [threading.Thread(target=lambda: sources.append(models.load("xgboost", 1))) for _ in range(8)]

    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert sorted(sources) == ["memory"] * 7 + ["mlflow"]
    assert len(registry.downloads) == 1


def test_preloading_reports_what_failed(models: Models, store: SwitchedStore) -> None:
    for version in (1, 2):
        store.put_model("xgboost", files(version))

    outcomes = models.preload([("xgboost", 1), ("xgboost", 2), ("xgboost", 2), ("xgboost", 9)])

    assert (outcomes["xgboost", 1], outcomes["xgboost", 2]) == ("minio", "minio")
    assert isinstance(outcomes["xgboost", 9], ModelUnavailable)
    assert len(outcomes) == 3


class HangingRegistry(FakeRegistry):
    """Its downloads wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()

    def download(self, family: Family, version: int) -> ModelFiles:
        self.asked.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        return super().download(family, version)


def test_preloading_ends_in_time_and_the_load_goes_on(store: SwitchedStore, clock: Clock) -> None:
    registry = HangingRegistry()
    registry.keep("xgboost", files(1))
    store.put_model("xgboost", files(2))
    models = Models(store, registry, clock=clock)

    assert models.load("xgboost", 2) == "minio"

    outcomes = models.preload([("xgboost", 1), ("xgboost", 2)], seconds_max=0.2)

    assert "did not come in time" in str(outcomes["xgboost", 1])
    assert outcomes["xgboost", 2] == "memory"
    registry.go_on.set()
    wait_for(lambda: models.is_loaded("xgboost", 1))
    models.close()


def test_a_close_waits_for_no_more_than_the_load_that_is_under_way(clock: Clock) -> None:
    registry = HangingRegistry()
    models = Models(ObjectModelStore(MemoryStore()), registry, clock=clock)
    for version in range(1, 30):
        models.ask("xgboost", version)
    assert registry.asked.wait(PATIENCE_SECONDS)
    models.stop()
    registry.go_on.set()

    models.close()

    assert registry.downloads == [("xgboost", 1)]


def test_wanted_and_lately_used_versions_are_kept_and_others_are_not(models: Models, store: SwitchedStore) -> None:
    for version in range(1, 11):
        store.put_model("xgboost", files(version))
    models.retain([("xgboost", 1), ("xgboost", 2)])
    for version in range(1, 7):
        models.load("xgboost", version)
    assert sorted(version for _, version in models.sources()) == [1, 2, 3, 4, 5, 6]
    reasons(models, version=3)  # a game still plays with it

    for version in range(7, 10):
        models.load("xgboost", version)

    assert sorted(version for _, version in models.sources()) == [1, 2, 3, 7, 8, 9]
    assert reasons(models, version=3) == []


def test_versions_are_swapped_while_games_go_on(models: Models, store: SwitchedStore) -> None:
    for version in range(1, 5):
        store.put_model("xgboost", files(version))
        models.load("xgboost", version)
    models.retain([("xgboost", 1)])
    stop = threading.Event()

    def play() -> None:
        while not stop.is_set():
            assert len(models.predict("xgboost", assignment((1, 2, 3, 4)), ROW)) == 4
            served.append(reasons(models, version=1))

    served: list[list[str]] = []
    player = threading.Thread(target=play)
    player.start()
    for version in range(5, 60):
        store.put_model("xgboost", files(version))
        models.load("xgboost", version)
        models.retain([("xgboost", 1), ("xgboost", version)])
    stop.set()
    player.join()

    assert len(served) > 10
    assert all(steps == [] for steps in served)


def known_as(run_id: str, graph: str | None = None) -> Callable[[Family, int], VersionRun]:
    return lambda _family, version: VersionRun(version=version, run_id=run_id, graph_sha256=graph)


def test_what_the_store_has_of_another_run_is_taken_from_the_registry(
    store: SwitchedStore, registry: FakeRegistry
) -> None:
    store.put_model("xgboost", files(1)._replace(run_id="another"))
    registry.keep("xgboost", files(1))
    with closing(Models(store, registry, known=known_as("run-xgboost-1"))) as models:
        assert models.load("xgboost", 1) == "mlflow"
        assert models.identify("xgboost", 1) == files(1).run

    assert store.get_model("xgboost", 1).run_id == "another", "a pointer is never overwritten"


@pytest.mark.parametrize("graph", [None, files(1, (1, 0, 0)).card.onnx_digest])
def test_a_number_that_is_another_version_everywhere_is_not_served(
    store: SwitchedStore, registry: FakeRegistry, graph: str | None
) -> None:
    """By its run or, where the run is the same, by its graph."""
    store.put_model("xgboost", files(1))
    registry.keep("xgboost", files(1))
    known = known_as("run-xgboost-1" if graph else "another", graph)
    with closing(Models(store, registry, known=known)) as models, pytest.raises(ModelUnavailable) as caught:
        models.load("xgboost", 1)

    assert [reason for reason, _ in caught.value.steps] == ["minio_miss", "mlflow_miss"]
    assert "the ledger knows" in str(caught.value)


def test_a_version_that_turns_out_to_be_another_one_is_loaded_again(
    store: SwitchedStore, registry: FakeRegistry
) -> None:
    known: dict[int, VersionRun] = {}
    store.put_model("xgboost", files(1))
    with closing(Models(store, registry, known=lambda _family, version: known.get(version))) as models:
        assert models.load("xgboost", 1) == "minio"
        another = files(1, (1, 0, 0))._replace(run_id="another")
        known[1] = another.run
        registry.keep("xgboost", another)

        assert models.load("xgboost", 1) == "mlflow"
        assert models.identify("xgboost", 1) == another.run
