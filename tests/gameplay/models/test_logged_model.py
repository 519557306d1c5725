"""A version as a user of MLflow sees it: a real server asked over REST, and its own loader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from gameplay.game.features import FEATURE_NAMES
from gameplay.models.artifacts import Registered
from gameplay.models.logged_model import DATA_SET
from gameplay.models.registry import EXPERIMENT, MlflowRegistry
from ledger.vocabulary import MOVES
from tests.gameplay.graphs import ORIGIN, trained
from tests.mlflow_server import MlflowServer

NAME = "rps_bot_mnlogit"
LEDGER = "0192f0c1-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def registry(mlflow_server: MlflowServer) -> MlflowRegistry:
    registry = MlflowRegistry(mlflow_server.uri)
    registry.set_owner(LEDGER)
    return registry


@pytest.fixture(scope="module")
def landed(registry: MlflowRegistry) -> Registered:
    landed = registry.register("multinomial_logistic", trained((0.2, 0.5, 0.3), family="multinomial_logistic"))
    registry.assign("multinomial_logistic", "Production", landed.version)
    return landed


@pytest.fixture
def loaded(mlflow_server: MlflowServer, landed: Registered) -> Iterator[Any]:
    """The version behind Production, as MLflow's documentation tells its users to load one."""
    assert landed
    mlflow.set_tracking_uri(mlflow_server.uri)
    yield mlflow.pyfunc.load_model(f"models:/{NAME}@Production")
    mlflow.set_tracking_uri(None)


def test_the_models_tab_shows_the_version_with_its_metrics(
    mlflow_server: MlflowServer, landed: Registered
) -> None:
    experiment = mlflow_server.get("experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]

    models = mlflow_server.post("logged-models/search", {"experiment_ids": [experiment["experiment_id"]]})[
        "models"
    ]

    (model,) = (one for one in models if one["info"]["source_run_id"] == landed.run_id)
    assert (model["info"]["name"], model["info"]["status"]) == ("multinomial_logistic-B", "LOGGED_MODEL_READY")
    metrics = {metric["key"]: metric for metric in model["data"]["metrics"]}
    assert metrics["holdout_accuracy"]["value"] == pytest.approx(80 / 140)
    assert metrics["holdout_accuracy"]["dataset_name"] == "ledger"
    assert {"key": "data_through_position", "value": "900"} in model["data"]["params"]


def test_the_registry_page_says_what_the_version_learned_from(
    mlflow_server: MlflowServer, landed: Registered
) -> None:
    version = mlflow_server.get("model-versions/get", name=NAME, version=str(landed.version))["model_version"]

    assert version["source"].startswith("models:/m-")
    assert "Learned from** 700 rounds of 60 games" in version["description"]
    assert f"ledger `{LEDGER}` after position\n3 up to 900" in version["description"]
    assert "| hold-out | 140 | 57.1% |" in version["description"]
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert (tags["ledger.id"], tags["ledger.position"]) == (LEDGER, "900")
    model = mlflow_server.get("registered-models/get", name=NAME)["registered_model"]
    assert "the policy `logan` plays by it" in model["description"]


def test_the_run_names_its_user_its_data_and_its_time(mlflow_server: MlflowServer, landed: Registered) -> None:
    run = mlflow_server.get("runs/get", run_id=landed.run_id)["run"]

    assert run["info"]["start_time"] == ORIGIN.began_ms < run["info"]["end_time"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("ada", "rps train")
    assert tags["mlflow.source.git.commit"] == "0123abc"
    (data,) = run["inputs"]["dataset_inputs"]
    assert data["tags"] == [{"key": "mlflow.data.context", "value": "training"}]
    assert data["dataset"]["digest"] == "ab" * 18
    assert '"ledger.through_position": "900"' in data["dataset"]["source"]
    assert '"num_rows":700' in data["dataset"]["profile"]
    (model,) = run["outputs"]["model_outputs"]
    assert model["model_id"].startswith("m-")


def test_two_runs_may_bring_the_same_data_set_at_once(
    registry: MlflowRegistry, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_inputs, refusals = MlflowClient.log_inputs, ["UNIQUE constraint failed: datasets.digest"]

    def refused_once(client: MlflowClient, run_id: str, data_sets: Any) -> None:
        if refusals:
            raise MlflowException(refusals.pop())
        log_inputs(client, run_id, data_sets)

    monkeypatch.setattr(MlflowClient, "log_inputs", refused_once)
    landed = registry.register("xgboost", trained((0.2, 0.5, 0.3), family="xgboost"))
    run = MlflowClient(mlflow_server.uri).get_run(landed.run_id)
    assert not refusals
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == [DATA_SET]


def test_curves_and_pictures_are_the_runs(mlflow_server: MlflowServer, landed: Registered) -> None:
    history = mlflow_server.get("metrics/get-history", run_id=landed.run_id, metric_key="validation_log_loss")
    files = mlflow_server.get("artifacts/list", run_id=landed.run_id)["files"]

    assert [(point.get("step", 0), point["value"]) for point in history["metrics"]] == [
        (0, 1.1),
        (1, 0.9),
        (2, 0.8),
    ]
    assert "confusion_matrix.png" in {file["path"] for file in files}


def test_the_version_is_scored_by_column_names(loaded: Any) -> None:
    table = pd.DataFrame(np.zeros((4, len(FEATURE_NAMES))), columns=list(FEATURE_NAMES))
    columns = {name: [0.0, 1.0] for name in FEATURE_NAMES}

    predicted = loaded.predict(table)

    assert list(predicted.columns) == list(MOVES)
    assert predicted.to_numpy().tolist() == [pytest.approx((0.2, 0.5, 0.3))] * 4
    assert loaded.predict(table[sorted(FEATURE_NAMES)]).equals(predicted)
    assert len(loaded.predict(columns)) == 2
    assert list(loaded.predict(loaded.input_example).columns) == list(MOVES)
    with pytest.raises(mlflow.exceptions.MlflowException, match="missing inputs"):
        loaded.predict(table.drop(columns=FEATURE_NAMES[0]))


def test_the_signature_names_each_feature_and_each_move(loaded: Any) -> None:
    signature = loaded.metadata.signature

    assert [(column.name, column.type.name) for column in signature.inputs] == [
        (name, "double") for name in FEATURE_NAMES
    ]
    assert signature.outputs.input_names() == list(MOVES)


@pytest.mark.usefixtures("loaded")
def test_its_requirements_are_exact_and_enough() -> None:
    path = mlflow.pyfunc.get_model_dependencies(f"models:/{NAME}@Production")

    pins = dict(line.split("==") for line in Path(path).read_text("utf-8").splitlines())
    assert {"mlflow", "numpy", "onnxruntime", "pandas"} <= pins.keys()


def test_a_version_comes_back_through_the_server(registry: MlflowRegistry, landed: Registered) -> None:
    found = registry.download("multinomial_logistic", landed.version)

    assert found.onnx == trained((0.2, 0.5, 0.3), family="multinomial_logistic").onnx
    assert found.run_id == landed.run_id


def test_the_registered_model_says_why_this_is_production(
    mlflow_server: MlflowServer, registry: MlflowRegistry, landed: Registered
) -> None:
    tags = {landed.version: {"ledger.swap": "2310"}, 999: {"ledger.swap": "1"}}

    for _ in range(2):
        registry.annotate("multinomial_logistic", "**Production is version 1** because it won", tags)

    model = mlflow_server.get("registered-models/get", name=NAME)["registered_model"]
    assert model["description"] == "**Production is version 1** because it won"
    found = mlflow_server.get("model-versions/search", filter=f"name='{NAME}'")["model_versions"]
    assert [{"key": "ledger.swap", "value": "2310"} in one["tags"] for one in found] == [True]
    registry.annotate("multinomial_logistic", "x" * 5_000, {})
