"""MLflow itself, on a SQLite file. Opening one takes seconds, so that the tests share it; each has a family."""

import os
import shutil
from pathlib import Path

import mlflow
import msgspec
import numpy as np
import pytest
from mlflow import MlflowClient
from msgspec.structs import replace

from gameplay.models import logged_model
from gameplay.models.artifacts import ModelFiles
from gameplay.models.errors import RegistryUnavailable, VersionMissing
from gameplay.models.graph import Graph
from gameplay.models.registry import EXPERIMENT, MlflowRegistry
from tests.gameplay.graphs import WIDTH, files, trained


@pytest.fixture(scope="module")
def registry(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> MlflowRegistry:
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(mlflow_database, folder)
    return MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", artifact_location=(folder / "artifacts").as_uri())


@pytest.fixture(scope="module")
def client(registry: MlflowRegistry) -> MlflowClient:
    """MLflow's own client, as other tools have it."""
    return MlflowClient(registry.tracking_uri)


def test_nothing_is_known_of_a_family_before_its_first_version(registry: MlflowRegistry) -> None:
    assert registry.aliases("feedforward_nn") == {}
    assert registry.runs("feedforward_nn", {1}) == registry.versions("feedforward_nn") == {}
    with pytest.raises(VersionMissing):
        registry.download("feedforward_nn", 1)
    with pytest.raises(VersionMissing):
        registry.assign("feedforward_nn", "B", 1)


def test_versions_aliases_and_files(registry: MlflowRegistry) -> None:
    first, second = trained((1, 0, 0)), trained((0, 1, 0))

    landed = [registry.register("xgboost", run) for run in (first, second)]

    assert [where.version for where in landed] == [1, 2]
    assert registry.runs("xgboost", [2, 3]) == {2: landed[1].run_id}
    assert registry.runs("xgboost", [1, 2]) == registry.versions("xgboost")
    assert registry.runs("xgboost", []) == {}
    assert registry.download("xgboost", 2) == ModelFiles(2, landed[1].run_id, second.card, second.onnx)
    with pytest.raises(VersionMissing) as caught:
        registry.download("xgboost", 3)
    assert (caught.value.family, caught.value.version) == ("xgboost", 3)

    registry.assign("xgboost", "Production", 2)
    registry.assign("xgboost", "Production", 2)
    registry.assign("xgboost", "B", 1)
    registry.assign("xgboost", "Production", 1)

    assert registry.aliases("xgboost") == {"Production": 1, "B": 1}
    with pytest.raises(VersionMissing):
        registry.assign("xgboost", "B", 3)
    assert registry.aliases("xgboost") == {"Production": 1, "B": 1}


def test_a_run_shows_parameters_metrics_and_files(registry: MlflowRegistry, client: MlflowClient) -> None:
    landed = registry.register("multinomial_logistic", trained(family="multinomial_logistic"))

    run = client.get_run(landed.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["holdout_accuracy"] == pytest.approx(80 / 140)
    assert run.data.metrics["holdout_vs_cal_accuracy"] == 0.7
    assert run.data.metrics["holdout_vs_cal_rows"] == 100
    assert run.data.metrics["holdout_own_vs_cal_accuracy"] == 0.75
    assert run.data.params["hidden"] == "[64, 32]"
    assert run.data.params["data_through_position"] == "900"
    assert {"estimator.ubj", "dataset.json"} <= {file.path for file in client.list_artifacts(landed.run_id)}


def test_a_version_is_a_model_to_mlflows_own_tools(registry: MlflowRegistry, client: MlflowClient) -> None:
    landed = registry.register("multinomial_logistic", trained(family="multinomial_logistic"))

    found = client.get_model_version("rps_bot_mnlogit", str(landed.version))

    assert found.run_id == landed.run_id
    assert found.source.startswith("models:/m-")


def test_a_version_of_before_logged_models_is_read_and_keeps_its_digest(
    registry: MlflowRegistry, client: MlflowClient, tmp_path: Path
) -> None:
    registry.register("xgboost", trained())
    before = files(1)
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    (tmp_path / "model.onnx").write_bytes(before.onnx)
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(before.card))
    client.log_artifacts(run.info.run_id, str(tmp_path), "model")
    registered = client.create_model_version("rps_bot_xgboost", f"{run.info.artifact_uri}/model", run.info.run_id)

    found = registry.download("xgboost", int(registered.version))

    assert found == before._replace(version=int(registered.version), run_id=run.info.run_id)
    assert Graph(found.onnx).scores(np.zeros((2, WIDTH), np.float32)).shape == (2, 3)


def test_a_database_does_not_become_the_processs_own(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://of.an.operator:5000")

    registry.register("xgboost", trained())

    assert os.environ["MLFLOW_TRACKING_URI"] == "http://of.an.operator:5000"
    assert mlflow.get_tracking_uri() == "http://of.an.operator:5000"
    mlflow.set_tracking_uri(None)


def test_a_model_that_cannot_be_logged_is_shown_as_failed(
    registry: MlflowRegistry, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(logged_model, "_log_facts", refuse)
    with pytest.raises(RegistryUnavailable, match="no space left"):
        registry.register("xgboost", trained())

    (newest, *_) = client.search_logged_models([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert newest.status == "FAILED"


def test_aliases_that_are_not_ours_are_left_out(registry: MlflowRegistry, client: MlflowClient) -> None:
    registry.register("feedforward_nn", trained(family="feedforward_nn"))
    client.set_registered_model_alias("rps_bot_feedforward", "champion", "1")

    assert registry.aliases("feedforward_nn") == {}


def test_a_version_without_our_card_cannot_be_served(registry: MlflowRegistry, client: MlflowClient) -> None:
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    client.log_text(run.info.run_id, "no graph", "model/readme.txt")
    registry.register("feedforward_nn", trained(family="feedforward_nn"))
    foreign = client.create_model_version("rps_bot_feedforward", f"{run.info.artifact_uri}/model", run.info.run_id)

    with pytest.raises(VersionMissing):
        registry.download("feedforward_nn", int(foreign.version))


def test_a_damaged_graph_is_not_given_out(registry: MlflowRegistry) -> None:
    run = trained(family="xgboost")
    landed = registry.register("xgboost", run._replace(card=replace(run.card, onnx_digest="another")))

    with pytest.raises(VersionMissing, match="damaged"):
        registry.download("xgboost", landed.version)


def test_a_registration_that_fails_leaves_no_run_that_seems_to_run(
    registry: MlflowRegistry, client: MlflowClient, tmp_path: Path
) -> None:
    blocked = tmp_path / "artifacts"
    blocked.write_bytes(b"a file where a folder should be")
    experiment = client.create_experiment("blocked", artifact_location=blocked.as_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowRegistry, "_experiment", lambda *_: client.get_experiment(experiment))
        with pytest.raises(RegistryUnavailable):
            registry.register("xgboost", trained())

    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]


def test_an_unreachable_server_fails_at_once() -> None:
    registry = MlflowRegistry("http://127.0.0.1:1")

    with pytest.raises(RegistryUnavailable, match="read the aliases"):
        registry.aliases("xgboost")
    with pytest.raises(RegistryUnavailable):
        registry.runs("xgboost", [1])
    with pytest.raises(RegistryUnavailable):
        registry.register("xgboost", trained())


def test_a_file_that_is_no_database_is_the_registrys_failure(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)

    with pytest.raises(RegistryUnavailable):
        MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}").aliases("xgboost")


@pytest.mark.parametrize("address", ["http://[::1", "postgresql://user:hush@db:port/mlflow"])
def test_an_address_that_does_not_parse_is_the_registrys_failure(address: str) -> None:
    with pytest.raises(RegistryUnavailable) as caught:
        MlflowRegistry(address, make=False).aliases("xgboost")

    assert "hush" not in str(caught.value)


def test_a_version_that_is_taken_back_is_gone_and_its_number_is_not_given_again(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    landed = registry.register("xgboost", trained())

    registry.discard("xgboost", landed)

    assert registry.runs("xgboost", [landed.version]) == {}
    assert "discarded" in client.get_run(landed.run_id).data.tags
    assert registry.register("xgboost", trained()).version > landed.version


def test_a_version_is_not_registered_for_a_caller_that_has_gone(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    before = client.search_model_versions("name='rps_bot_xgboost'")

    with pytest.raises(RegistryUnavailable, match="it came too late"):
        registry.register("xgboost", trained(), still_wanted=lambda: False)

    assert client.search_model_versions("name='rps_bot_xgboost'") == before
