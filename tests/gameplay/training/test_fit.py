import os
import pickle
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import xgboost
from obstore.store import MemoryStore

from gameplay.game.features import FEATURE_NAMES
from gameplay.models.artifacts import FEATURES_DIGEST, ModelFiles, Registered, TrainedModel, digest
from gameplay.models.errors import TrainingError
from gameplay.models.graph import Graph
from gameplay.models.store import ObjectModelStore
from gameplay.training.code_version import code_version
from gameplay.training.dataset import Dataset, read_dataset
from gameplay.training.estimators import HYPERPARAMETERS, Hyperparameters, Line, Net, Trees, fit
from gameplay.training.fit import Job, compare, fit_model, train_all
from ledger.errors import ConflictError
from ledger.events import TrainingCompleted, VersionRun
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, BOTS, FAMILIES, Family
from tests.gameplay.fakes import FakeRegistry, SwitchedStore
from tests.gameplay.graphs import constant_graph
from tests.gameplay.plays import write_games
from tests.gameplay.trainings import train, unknown

SMALL: dict[Family, Hyperparameters] = {
    "feedforward_nn": Net(hidden=(24,), l2=1e-3, learning_rate=5e-3, epochs=40),
    "xgboost": Trees(trees=40, depth=4, learning_rate=0.3),
    "multinomial_logistic": Line(inverse_l2=1.0),
}
CHANCE = 1 / 3
ROOT = Path(__file__).parents[3]


@pytest.fixture
def dataset(ledger: Ledger) -> Dataset:
    """Sixty games of two bots with a pattern, against one without."""
    write_games(ledger, ("cal", "dan"), 30)
    return read_dataset(ledger)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def store() -> SwitchedStore:
    return SwitchedStore(ObjectModelStore(MemoryStore()))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_beats_chance_clearly_against_a_pattern(dataset: Dataset, family: Family) -> None:
    card = fit_model(Job(family, "B", dataset), SMALL[family]).card

    for opponent in ("cal", "dan"):
        score = card.by_opponent[opponent]
        chance_sigma = (CHANCE * (1 - CHANCE) / score.rows) ** 0.5
        assert score.accuracy is not None
        assert score.accuracy > CHANCE + 3 * chance_sigma
    assert sum(score.rows for score in card.by_opponent.values()) == card.holdout.rows
    assert card.training.rows + card.validation.rows + card.holdout.rows == len(dataset.rows)


def test_a_model_does_not_beat_chance_against_a_die(ledger: Ledger) -> None:
    write_games(ledger, ("gus",), 60)

    score = fit_model(Job("xgboost", "B", read_dataset(ledger)), SMALL["xgboost"]).card.holdout

    assert score.accuracy == pytest.approx(CHANCE, abs=4 * (CHANCE * (1 - CHANCE) / score.rows) ** 0.5)


@pytest.mark.parametrize("family", FAMILIES)
def test_graph_and_estimator_agree_and_the_estimator_is_kept(dataset: Dataset, family: Family) -> None:
    split = dataset.split()

    fitted = fit(SMALL[family], split)

    scores = Graph(fitted.onnx).scores(split.holdout.rows)
    assert scores.shape == (len(split.holdout.rows), 3)
    assert np.abs(scores - fitted.probabilities(split.holdout.rows)).max() < 1e-6
    if family == "xgboost":
        kept = xgboost.Booster(model_file=bytearray(fitted.estimator))
        again = kept.predict(xgboost.DMatrix(split.holdout.rows))
    else:
        again = pickle.loads(fitted.estimator).predict_proba(split.holdout.rows)
    assert np.abs(scores - again).max() < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_data_gives_the_same_model(dataset: Dataset, family: Family) -> None:
    first, second = (fit(SMALL[family], dataset.split()) for _ in range(2))

    assert first.onnx == second.onnx


FIT = """
import numpy as np
from gameplay.models.artifacts import digest
from gameplay.training.dataset import Part, Split
from gameplay.training.estimators import Line, fit

rng = np.random.default_rng(1)
rows = rng.normal(size=(10_000, 50)).astype(np.float32)
targets = (rows[:, :3] + rng.normal(size=(10_000, 3))).argmax(axis=1)
part = Part(rows, targets, np.full(10_000, "cal"), np.full(10_000, "brian"))
print(digest(fit(Line(inverse_l2=1.0), Split(part, part, part)).onnx))
"""


def test_the_number_of_threads_changes_no_model() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", FIT],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
    }

    assert len(digests) == 1


def test_each_family_has_four_different_sets_of_hyperparameters() -> None:
    for family in FAMILIES:
        assert set(HYPERPARAMETERS[family]) == set(ALIASES)
        assert len({repr(parameters) for parameters in HYPERPARAMETERS[family].values()}) == len(ALIASES)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_two_versions_of_a_family_say_the_same(ledger: Ledger, family: Family) -> None:
    write_games(ledger, BOTS, 12)
    split = read_dataset(ledger).split()

    graphs = {alias: Graph(fit(HYPERPARAMETERS[family][alias], split).onnx) for alias in ALIASES}

    predicted = {alias: graph.scores(split.holdout.rows).argmax(axis=1) for alias, graph in graphs.items()}
    for one, other in combinations(ALIASES, 2):
        assert (predicted[one] != predicted[other]).mean() >= 0.01, (one, other)


def test_a_line_sees_as_many_rounds_as_asked_for(dataset: Dataset) -> None:
    split = dataset.split()
    blind = [index for index, name in enumerate(FEATURE_NAMES) if "_lag2_" in name or "_lag3_" in name]
    changed = split.holdout.rows.copy()
    changed[:, blind] += 1

    scores = Graph(fit(Line(inverse_l2=1.0, lags=1), split).onnx).scores

    assert (scores(changed) == scores(split.holdout.rows)).all()


def test_cross_validation_measures_every_row_once(dataset: Dataset) -> None:
    trained = fit_model(Job("multinomial_logistic", "B", dataset), SMALL["multinomial_logistic"], folds=3)

    assert len(trained.card.folds) == 3
    assert sum(score.rows for score in trained.card.folds) == len(dataset.rows)
    assert all(score.correct > CHANCE * score.rows for score in trained.card.folds)
    assert fit_model(Job("multinomial_logistic", "B", dataset), SMALL["multinomial_logistic"]).card.folds == ()


def test_a_card_names_the_code_and_the_libraries(dataset: Dataset) -> None:
    card = fit_model(Job("multinomial_logistic", "B", dataset), SMALL["multinomial_logistic"]).card

    assert card.code_version == code_version()
    assert {"numpy", "scipy", "scikit-learn", "onnx"} <= set(card.libraries)


def test_a_graph_that_says_something_else_is_refused(dataset: Dataset) -> None:
    split = dataset.split()
    fitted = fit(SMALL["multinomial_logistic"], split)

    with pytest.raises(TrainingError, match="differ"):
        compare(fitted, Graph(constant_graph((0.2, 0.5, 0.3))), split.holdout)
    with pytest.raises(TrainingError, match="differ"):
        compare(fitted, Graph(constant_graph((float("nan"), 0.5, 0.5))), split.holdout)


def test_a_move_without_examples_is_refused(dataset: Dataset) -> None:
    without = replace(dataset, targets=np.where(dataset.targets == 2, 1, dataset.targets))

    with pytest.raises(TrainingError, match="scissors"):
        fit(SMALL["xgboost"], without.split())


def test_a_trained_version_is_registered_and_copied(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    event = train(Job("xgboost", "B", dataset), registry, store, SMALL["xgboost"])

    assert (event.status, event.model_version, event.run_id) == ("success", 1, "xgboost-run-1")
    assert (event.model_type, event.alias, event.source, event.error) == ("xgboost", "B", "test", None)
    assert event.rows == len(dataset.rows)
    assert (event.after_position, event.through_position) == (0, dataset.source.through_position)
    files = store.get_model("xgboost", 1)
    assert files == registry.download("xgboost", 1)
    assert (event.training_accuracy, event.holdout_accuracy) == (
        files.card.training.accuracy,
        files.card.holdout.accuracy,
    )
    assert files.card.features_digest == FEATURES_DIGEST
    assert files.card.onnx_digest == digest(files.onnx)
    assert files.card.hyperparameters["trees"] == 40
    assert registry.named == {}  # aliases are the promotion's to move


def test_a_run_keeps_its_estimator_its_data_and_a_picture(dataset: Dataset) -> None:
    attachments = fit_model(Job("xgboost", "B", dataset), SMALL["xgboost"]).attachments

    assert set(attachments) == {"estimator.ubj", "confusion_matrix.png", "dataset.json"}
    assert attachments["confusion_matrix.png"].startswith(b"\x89PNG")
    assert str(dataset.source.through_position).encode() in attachments["dataset.json"]


def test_a_version_is_trained_although_the_store_is_down(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    store.down = True

    event = train(Job("xgboost", "B", dataset), registry, store, SMALL["xgboost"])

    assert (event.status, event.model_version) == ("success", 1)


def test_a_run_without_a_registry_is_a_recorded_failure(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    registry.down = True

    event = train(Job("xgboost", "B", dataset), registry, store, SMALL["xgboost"])

    assert (event.status, event.model_version, event.run_id) == ("failure", None, None)
    assert event.error is not None
    assert "it is down" in event.error
    assert store.versions("xgboost") == {}


def test_a_number_behind_which_the_ledger_knows_another_run_is_a_failure(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    first = train(Job("xgboost", "B", dataset), registry, store, SMALL["xgboost"])
    kept = store.get_model("xgboost", 1)
    assert first.run_id is not None
    known = VersionRun(version=1, run_id=first.run_id, graph_sha256=None)
    registry.lose("xgboost")

    event = train(
        Job("xgboost", "B", dataset),
        registry,
        store,
        SMALL["xgboost"],
        known=lambda _family, version: known if version == 1 else None,
    )

    assert (event.status, event.model_version, event.run_id) == ("failure", None, None)
    assert event.error is not None
    assert "version 1 of xgboost in the model registry is another one" in event.error
    assert store.get_model("xgboost", 1) == kept
    assert registry.kept == {}, "what the ledger does not know is taken back"


def test_too_little_data_is_a_recorded_failure(
    ledger: Ledger, registry: FakeRegistry, store: SwitchedStore
) -> None:
    event = train(Job("xgboost", "B", read_dataset(ledger)), registry, store)

    assert event.status == "failure"
    assert event.error is not None
    assert "too few" in event.error


def test_what_a_library_raises_is_a_recorded_failure(dataset: Dataset, store: SwitchedStore) -> None:
    class BrokenRegistry(FakeRegistry):
        def register(self, family: Family, run: TrainedModel) -> Registered:  # noqa: ARG002
            raise ZeroDivisionError("a bug")

    job = Job("multinomial_logistic", "B", dataset)

    event = train(job, BrokenRegistry(), store)

    assert (event.status, event.error) == ("failure", "ZeroDivisionError: a bug")


def test_the_aliases_of_a_family_get_their_versions_in_order(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    families: tuple[Family, ...] = ("xgboost", "multinomial_logistic")
    jobs = [Job(family, alias, dataset) for family in families for alias in ALIASES]

    recorded: list[TrainingCompleted] = []
    events = list(train_all(jobs, registry, store, source="test", record=recorded.append, known=unknown))

    assert len(events) == len(jobs)
    assert recorded == events
    for family in families:
        trained = [(event.alias, event.model_version) for event in events if event.model_type == family]
        assert trained == list(zip(ALIASES, (1, 2, 3, 4), strict=True))
        assert [store.get_model(family, version).card.alias for version in (1, 2, 3, 4)] == list(ALIASES)


def test_who_leaves_early_leaves_no_version_that_is_not_recorded(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    jobs = [Job("multinomial_logistic", alias, dataset) for alias in ALIASES]
    recorded: list[TrainingCompleted] = []

    with closing(train_all(jobs, registry, store, source="test", record=recorded.append, known=unknown)) as runs:
        next(runs)

    assert {event.model_version for event in recorded} == {version for _, version in registry.kept}
    assert len(recorded) < len(jobs)


def test_a_run_that_cannot_be_recorded_is_the_last_one(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    def refuse(_event: TrainingCompleted) -> None:
        raise ConflictError("training-multinomial_logistic", 0, 1)

    jobs = [Job("multinomial_logistic", alias, dataset) for alias in ALIASES]

    with pytest.raises(ConflictError):
        list(train_all(jobs, registry, store, source="test", record=refuse, known=unknown))

    assert len(registry.kept) == 1


def test_a_version_number_comes_from_the_registry(
    dataset: Dataset, registry: FakeRegistry, store: SwitchedStore
) -> None:
    trained = fit_model(Job("multinomial_logistic", "B", dataset), SMALL["multinomial_logistic"])
    registry.keep("multinomial_logistic", ModelFiles(7, "elsewhere", trained.card, trained.onnx))

    event = train(Job("multinomial_logistic", "B", dataset), registry, store)

    assert event.model_version == 8
