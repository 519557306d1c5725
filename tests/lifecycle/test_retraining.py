"""New versions from new games, with MLflow on SQLite."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from gameplay.cli import rps
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.models.artifacts import REGISTERED_NAMES
from gameplay.models.errors import TrainingError
from gameplay.promotion import planning
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import Origin, PinOrder
from gameplay.serving.overview import overview
from gameplay.serving.schedule import CATCH_UP_SECONDS
from gameplay.training.bot_games import play_bot_games
from gameplay.training.dataset import read_dataset
from gameplay.training.estimators import HYPERPARAMETERS
from gameplay.training.fit import Job, fit_model
from gameplay.training.process import TrainingProcess
from gameplay.training.recovery import recover
from gameplay.training.retraining import (
    NOTICE_SECONDS,
    Candidate,
    Retrained,
    candidates,
    read_training_data,
    retrain,
)
from ledger.events import AliasesAssigned, AliasesPlanned, Assignment, TrainingCompleted
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.decision.cycle import plan
from tests.builders import assignment, training_completed
from tests.gameplay.markers import markers_in
from tests.lifecycle.conftest import silently

LINE: Family = "multinomial_logistic"
FIRST = assignment((1, 2, 3, 4))


def play_more(core: Core, games: int = 60) -> None:
    for _ in play_bot_games(core.ledger, games, random.Random(4)):
        pass


def due(core: Core, *, aliases: Sequence[Alias] = ALIASES, force: bool = False) -> list[Candidate]:
    return candidates(core, read_training_data(core.ledger, core.settings), (LINE,), aliases, force=force)


def train(core: Core, chosen: Sequence[Candidate]) -> list[Retrained]:
    dataset = read_training_data(core.ledger, core.settings)
    return retrain(core, dataset, chosen, source="test", track=silently, folds=3, notice_seconds=0)


def runs(core: Core) -> list[TrainingCompleted]:
    events = (core.ledger.decode(entry) for entry in core.ledger.read_stream(f"training-{LINE}"))
    return [event for event in events if isinstance(event, TrainingCompleted)]


def test_a_pinned_alias_is_not_trained_and_a_pin_set_meanwhile_keeps_its_version(core: Core) -> None:
    play_more(core)
    pin(core, "B")
    chosen = due(core, aliases=("B", "shadow1", "shadow2"))
    assert [one.reason for one in chosen] == ["B is pinned to version 2, by ada", None, None]

    pin(core, "shadow1")
    outcomes = train(core, chosen)

    assert [(one.placed, one.problem) for one in outcomes] == [
        (False, None),
        (False, "shadow1 was pinned while it was trained"),
        (True, None),
    ]
    assert core.promotion.state(LINE).assignment() == assignment((1, 2, 3, 6))


def pin(core: Core, alias: Alias) -> None:
    execute(core.promotion, PinOrder(family=LINE, alias=alias, origin=Origin(actor="ada", reason="a campaign")))


def test_new_versions_take_the_aliases_by_one_plan_when_there_is_more_to_learn(core: Core) -> None:
    play_more(core)

    outcomes = train(core, due(core))

    assert [outcome.placed for outcome in outcomes] == [True] * 4
    decided = [core.ledger.decode(entry) for entry in core.ledger.read_stream(promotion_stream(LINE))][-2:]
    planned, assigned = decided
    assert isinstance(planned, AliasesPlanned)
    assert isinstance(assigned, AliasesAssigned)
    assert (planned.cause, assigned.cause, planned.swapped) == ("training", "training", False)
    assert core.promotion.state(LINE).assignment() == assignment((5, 6, 7, 8))
    assert core.registry.aliases(LINE) == dict(zip(ALIASES, (5, 6, 7, 8), strict=True))
    markers = markers_in(core.settings.data_dir / "models", LINE)
    assert {alias: version for alias, (version, _run_id) in markers.items()} == core.registry.aliases(LINE)
    assert [(run.alias, run.status, run.source) for run in runs(core)[-4:]] == [
        (alias, "success", "test") for alias in ALIASES
    ]
    assert core.promotion.state("xgboost").assignment() == FIRST


def test_a_run_can_be_read_in_mlflow_and_made_again_bit_for_bit(core: Core) -> None:
    play_more(core)
    (outcome,) = train(core, due(core, aliases=("B",)))
    assert outcome.event is not None
    assert outcome.event.model_version is not None
    assert outcome.event.run_id is not None

    client = MlflowClient(core.settings.mlflow_tracking_uri)
    run = client.get_run(outcome.event.run_id)
    files = core.registry.download(LINE, outcome.event.model_version)
    source = files.card.source
    again = read_dataset(
        core.ledger,
        after=source.after_position,
        through=source.through_position,
        since_us=source.since_us,
        legacy_stride=source.legacy_stride,
        limit_games=source.limit_games,
    )

    assert run.data.params["data_through_position"] == str(outcome.event.through_position)
    assert run.data.params["data_rows_digest"] == again.source.rows_digest
    assert run.data.tags["code_version"] == files.card.code_version != ""
    assert {"holdout_accuracy", "folds_mean_accuracy", "folds_sd_accuracy", "fold_2_rows"} <= set(run.data.metrics)
    for opponent, score in files.card.by_opponent.items():
        assert run.data.metrics[f"holdout_vs_{opponent}_accuracy"] == score.accuracy
    paths = {
        file.path for file in MlflowClient(core.settings.mlflow_tracking_uri).list_artifacts(outcome.event.run_id)
    }
    assert {"confusion_matrix.png", "dataset.json", "estimator.pkl"} <= paths
    assert sum(fold.rows for fold in files.card.folds) == source.rows
    assert fit_model(Job(LINE, "B", again), HYPERPARAMETERS[LINE]["B"]).onnx == files.onnx


def test_nothing_is_trained_when_a_version_has_learned_from_nearly_all(core: Core) -> None:
    play_more(core, games=2)
    head = core.ledger.head()

    chosen = due(core)
    outcomes = train(core, chosen)

    new_rows = chosen[0].new_rows
    assert 0 < new_rows < 50
    assert {one.reason for one in chosen} == {f"{new_rows} new rows, 50 needed"}
    assert core.ledger.head() == head
    assert not any(outcome.failed or outcome.placed for outcome in outcomes)


def test_nothing_is_trained_when_there_are_too_few_rows_in_all(core: Core) -> None:
    play_more(core)
    core.settings = replace(core.settings, training_minimum_rows=1_000_000)

    assert all("1000000 needed" in (one.reason or "") for one in due(core))


def test_nothing_is_trained_from_less_than_the_present_version_has_seen(core: Core) -> None:
    play_more(core)
    core.settings = replace(core.settings, training_legacy_stride=5)

    (candidate,) = due(core, aliases=("Production",))

    assert candidate.new_rows >= core.settings.training_minimum_new_rows
    assert (candidate.reason or "").endswith(f"the present version learned from {runs(core)[0].rows}")
    (candidate,) = due(core, aliases=("Production",), force=True)
    assert candidate.reason is None


def test_what_is_reported_of_a_version_does_not_replace_its_own_run(core: Core) -> None:
    stream, learned = f"training-{LINE}", runs(core)[1]
    report = training_completed(
        model_type=LINE,
        alias="B",
        model_version=2,
        holdout_accuracy=0.99,
        rows=None,
        after_position=None,
        through_position=None,
    )
    core.ledger.append(stream, [report], core.ledger.version(stream))

    (candidate,) = due(core, aliases=("B",))

    assert candidate.new_rows == 0
    shown = next(one for one in overview(core) if (one.family, one.alias) == (LINE, "B"))
    assert (shown.holdout_accuracy, shown.trained_by) == (learned.holdout_accuracy, learned.source)


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_trained_while_a_plan_is_open(core: Core, force: bool) -> None:
    play_more(core)
    planned = plan("manual", LINE, FIRST, assignment((2, 1, 3, 4)))
    core.ledger.append(promotion_stream(LINE), [planned], core.ledger.version(promotion_stream(LINE)))

    assert all((one.reason or "").startswith("a plan is open") for one in due(core, force=force))


def test_rows_are_new_to_a_version_and_not_to_an_alias(core: Core) -> None:
    play_more(core)
    train(core, due(core, aliases=("shadow2",)))

    reasons = {one.alias: one.reason for one in due(core)}
    assert (reasons["Production"], reasons["shadow2"]) == (None, "0 new rows, 50 needed")

    # The new version is behind Production now.
    planning.move(core.promotion, LINE, assignment((5, 2, 3, 1)), cause="manual")
    reasons = {one.alias: one.reason for one in due(core)}
    assert (reasons["Production"], reasons["shadow2"]) == ("0 new rows, 50 needed", None)


def test_a_move_that_came_in_between_is_not_undone(core: Core) -> None:
    chosen = due(core, aliases=("shadow1",), force=True)
    planning.move(core.promotion, LINE, assignment((2, 1, 3, 4)), cause="manual")

    (outcome,) = train(core, chosen)

    assert outcome.placed
    assert core.promotion.state(LINE).assignment() == Assignment(Production=2, B=1, shadow1=5, shadow2=4)


def test_a_failed_run_is_reported_and_moves_nothing(settings: Settings) -> None:
    core = open_core(replace(settings, mlflow_tracking_uri="http://127.0.0.1:1"))
    core.read_models.projector.start()

    (outcome,) = train(core, due(core, aliases=("B",), force=True))

    assert outcome.failed
    failure = runs(core)[-1]
    assert (failure.status, failure.alias, failure.model_version) == ("failure", "B", None)
    assert failure.error == outcome.problem is not None
    assert failure.through_position is not None
    assert core.promotion.state(LINE).assignment() == FIRST
    core.close()


def test_serving_processes_hear_of_a_version_before_an_alias_names_it(core: Core) -> None:
    assert core.trained_versions() == {family: set() for family in FAMILIES}
    play_more(core)
    dataset = read_training_data(core.ledger, core.settings)
    seen: list[dict[Family, set[int]]] = []

    def look(steps, what, total):  # type: ignore[no-untyped-def]
        yield from silently(steps, what, total)
        seen.append(core.trained_versions())

    retrain(core, dataset, due(core, aliases=("B",)), source="test", track=look, folds=3, notice_seconds=0)

    assert seen[-1][LINE] == {5}
    assert core.trained_versions()[LINE] == set()
    assert 5 in core.wanted_versions()[LINE]


def test_serving_processes_are_given_the_time_to_load_a_version(core: Core) -> None:
    dataset, chosen = read_training_data(core.ledger, core.settings), due(core, aliases=("B",), force=True)

    retrain(core, dataset, chosen, source="test", track=silently, folds=0, notice_seconds=0.5)

    trained, planned = (core.ledger.read_stream(stream) for stream in (f"training-{LINE}", promotion_stream(LINE)))
    assert planned[-2].recorded_us - trained[-1].recorded_us >= 500_000
    assert NOTICE_SECONDS > 2 * CATCH_UP_SECONDS  # which may have begun just before


def test_of_versions_that_found_no_place_only_the_newest_are_kept_at_hand(core: Core) -> None:
    left = [training_completed(model_type=LINE, model_version=version) for version in range(5, 17)]
    core.ledger.append(f"training-{LINE}", left, core.ledger.version(f"training-{LINE}"))

    assert core.trained_versions()[LINE] == {13, 14, 15, 16}


def test_a_scheduled_run_ends_well_when_nothing_is_new(core: Core) -> None:
    head = core.ledger.head()

    TrainingProcess(core.settings).run()

    assert core.ledger.head() == head


def test_a_scheduled_run_that_dies_is_an_error(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="exit code 1"):
        TrainingProcess(replace(settings, database_url=f"sqlite:///{settings.data_dir}")).run()
    assert str(settings.data_dir) in capfd.readouterr().err


def test_no_run_begins_after_the_end(core: Core) -> None:
    training = TrainingProcess(replace(core.settings, database_url=f"sqlite:///{core.settings.data_dir}"))

    training.stop()

    training.run()


def command(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(rps, ["train", *arguments], env={"RPS_DATA_DIR": str(settings.data_dir)})


def test_the_command_reports_what_it_left_out_and_why(settings: Settings) -> None:
    result = command(settings, "--model-type", LINE, "--json")

    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(record["alias"], record["status"], record["version"]) for record in records] == [
        (alias, "skipped", None) for alias in ALIASES
    ]
    assert {record["reason"] for record in records} == {"0 new rows, 50 needed"}


def test_the_command_trains_one_alias_when_it_is_forced_to(settings: Settings) -> None:
    result = command(settings, "--model-type", LINE, "--alias", "shadow2", "--force")

    assert result.exit_code == 0, result.output
    assert "v4 -> v5" in result.stdout
    assert "active" in result.stdout
    assert "Training" in result.stderr


def test_the_command_fails_when_a_version_is_not_in_place(settings: Settings) -> None:
    result = CliRunner().invoke(
        rps,
        ["train", "--model-type", LINE, "--alias", "B", "--force", "--json"],
        env={"RPS_DATA_DIR": str(settings.data_dir), "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
    )

    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert (record["status"], record["placed"]) == ("failure", False)
    assert "registry could not" in record["reason"]


def test_a_model_that_mlflow_counts_from_one_again_moves_nothing_until_it_is_repaired(
    core: Core, settings: Settings
) -> None:
    """It is renamed, as an operator does who wants to keep it; the next training makes a new one of its name."""
    client, name = MlflowClient(settings.mlflow_tracking_uri), REGISTERED_NAMES[LINE]
    store, ledger = folder_bytes(settings.data_dir / "models"), core.promotion.state(LINE).promotion
    client.rename_registered_model(name, "kept-for-later")
    environment = {"RPS_DATA_DIR": str(settings.data_dir)}

    result = CliRunner().invoke(rps, ["train", "--model-type", LINE, "--alias", "B", "--force"], env=environment)

    assert result.exit_code == 1, result.output
    assert folder_bytes(settings.data_dir / "models") == store
    assert core.promotion.state(LINE).promotion.aliases == ledger.aliases
    event = runs(core)[-1]
    assert (event.status, event.model_version) == ("failure", None)
    assert event.error is not None
    assert "version 1 of multinomial_logistic in the model registry is another one" in event.error
    assert client.search_model_versions(f"name='{name}'") == []
    shown = CliRunner().invoke(rps, ["models"], env=environment)
    assert shown.exit_code == 1
    assert f"{LINE}: the registry differs: Production, B, shadow1, shadow2 not set" in shown.output

    client.delete_registered_model(name)
    client.rename_registered_model("kept-for-later", name)

    (outcome,) = train(core, due(core, aliases=("B",), force=True))
    assert outcome.placed
    assert core.registry.aliases(LINE)["B"] == 5


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_training_moves_the_aliases_that_it_may_and_no_other(core: Core) -> None:
    play_more(core)
    core.settings = replace(core.settings, train_aliases=frozenset({"B", "shadow1"}))

    for force in (False, True):
        reasons = {one.alias: one.reason for one in due(core, force=force)}
        assert (reasons["B"], reasons["shadow1"]) == (None, None)
        assert reasons["Production"] == reasons["shadow2"] == "RPS_TRAIN_ALIASES leaves it to the promotion"

    outcomes = train(core, due(core))
    assert [outcome.placed for outcome in outcomes] == [False, True, True, False]
    assert core.promotion.state(LINE).assignment() == assignment((1, 5, 6, 4))


def test_a_version_that_a_killed_training_left_is_recorded_by_the_next(core: Core) -> None:
    play_more(core)
    dataset = read_training_data(core.ledger, core.settings)
    left = core.registry.register(LINE, fit_model(Job(LINE, "B", dataset), HYPERPARAMETERS[LINE]["B"]))
    client, name = MlflowClient(core.settings.mlflow_tracking_uri), REGISTERED_NAMES[LINE]
    client.create_model_version(name, "elsewhere", None)  # another tool's, without our card

    (outcome,) = train(core, due(core, aliases=("B",)))

    recovered, trained = runs(core)[-2:]
    assert (recovered.source, recovered.model_version, recovered.run_id) == ("recovery", *left)
    assert (recovered.alias, recovered.rows, recovered.duration_seconds) == ("B", len(dataset.rows), None)
    assert (outcome.placed, trained.model_version) == (True, left.version + 2)
    known = core.promotion.known_run(LINE, left.version)
    assert known is not None
    assert known.run_id == left.run_id
    assert recover(core, (LINE,)) == 0
