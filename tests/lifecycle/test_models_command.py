"""`rps models`, and the model store in order: the twelve versions and nothing else."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from obstore.store import LocalStore

from gameplay.cli import rps
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.models import store as model_store
from gameplay.models.store import ObjectModelStore
from gameplay.promotion import adoption, planning
from gameplay.serving.sync import sync
from ledger.vocabulary import ALIASES, FAMILIES
from tests.builders import assignment, training_completed
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.servers import S3Server
from tests.gameplay.web_clients import ok, play_on, start
from tests.lifecycle.conftest import serving


def command(settings: Settings, *arguments: str, **environment: str) -> Result:
    environment = {"RPS_DATA_DIR": str(settings.data_dir), **environment}
    return CliRunner().invoke(rps, ["models", *arguments], env=environment)


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_twelve_are_shown_with_what_they_have_done(settings: Settings) -> None:
    with serving(settings) as client:
        model_rounds = play_on(client, start(client)["game_id"])["round"] - 3

    shown = records(command(settings, "--json"))

    assert [(one["model_type"], one["alias"]) for one in shown] == [
        (family, alias) for family in FAMILIES for alias in ALIASES
    ]
    assert {one["live_predictions"] for one in shown if one["model_type"] == "xgboost"} == {model_rounds}
    assert {one["live_accuracy"] for one in shown if one["model_type"] != "xgboost"} == {None}
    for one in shown:
        assert 0.3 < one["holdout_accuracy"] < 1
        assert 0.3 < one["training_accuracy"] < 1
        assert 0 < one["age_seconds"] < 3_600
        assert (one["source"], one["trained_by"]) == ("minio", "setup")


def test_accuracies_by_player_come_with_their_intervals(settings: Settings) -> None:
    shown = records(command(settings, "--by-opponent", "--json"))

    for one in shown:
        assert set(one["by_opponent"]) >= {"cal", "gus"}
        for score in one["by_opponent"].values():
            low, high = score["interval"]
            assert 0 <= low <= score["correct"] / score["rows"] <= high <= 1


def test_tables_are_for_people(settings: Settings) -> None:
    table = command(settings).stdout
    by_opponent = command(settings, "--by-opponent").stdout

    assert table.count("minio") == 12
    assert "n = " in by_opponent
    assert all(f"{family}: hold-out accuracy by player" in by_opponent for family in FAMILIES)


def test_a_version_that_the_store_lacks_is_shown_as_mlflows(settings: Settings) -> None:
    (settings.data_dir / "models" / "rps_bot_xgboost" / "versions" / "2").unlink()

    shown = records(command(settings, "--json"))

    elsewhere = [(one["model_type"], one["alias"]) for one in shown if one["source"] == "mlflow"]
    assert elsewhere == [("xgboost", "B")]


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture
def registry() -> FaultyRegistry:
    return registry_with_versions(count=6)


@pytest.fixture
def remote(s3: S3Server, bucket: str, registry: FaultyRegistry, data_dir: Path) -> Iterator[Core]:
    """The trained folder's ledger, tiny versions in the registry, and an empty bucket."""
    core = open_core(s3.settings(data_dir, bucket), registry=registry)
    core.read_models.projector.start()
    yield core
    core.close()


def test_the_twelve_are_copied_to_s3_and_marked(remote: Core, registry: FaultyRegistry) -> None:
    first, second = (sync(remote, FAMILIES, ALIASES) for _ in range(2))

    assert (len(first.copied), len(first.kept), first.errors) == (12, 0, [])
    assert (len(second.copied), len(second.kept), second.errors) == (0, 12, [])
    for family in FAMILIES:
        assert sorted(remote.store.versions(family)) == [1, 2, 3, 4]
        assert remote.store.get_model(family, 3) == registry.kept[family, 3]
        markers = remote.store.markers(family)
        assert [markers[alias].version for alias in ALIASES] == [1, 2, 3, 4]


def test_a_damaged_copy_on_s3_is_replaced(remote: Core, registry: FaultyRegistry) -> None:
    sync(remote, FAMILIES, ALIASES)
    good = registry.kept["xgboost", 2]
    remote.store.put_model("xgboost", good._replace(onnx=b"damaged"))

    synced = sync(remote, ("xgboost",), ALIASES)

    assert (synced.copied, len(synced.kept)) == (["xgboost/v2"], 3)
    assert remote.store.get_model("xgboost", 2) == good


def test_cleaning_removes_what_no_alias_needs(remote: Core, registry: FaultyRegistry) -> None:
    for version in range(1, 7):
        remote.store.put_model("xgboost", registry.kept["xgboost", version])
    registry.named["xgboost"] = {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 6}
    adoption.adopt(remote.promotion, "xgboost")

    synced = sync(remote, ("xgboost",), ("B",), clean=True)

    assert synced.removed == ["xgboost/v4", "xgboost/v5"]
    assert sorted(remote.store.versions("xgboost")) == [1, 2, 3, 6]


def test_cleaning_keeps_what_an_open_plan_leads_to_and_what_was_trained_just_now(
    remote: Core, registry: FaultyRegistry
) -> None:
    for version in range(1, 7):
        remote.store.put_model("xgboost", registry.kept["xgboost", version])
    registry.down = True
    assert not planning.move(remote.promotion, "xgboost", assignment((5, 2, 3, 4)), cause="training")
    trained = training_completed(model_type="xgboost", model_version=6, holdout_accuracy=0.5)
    remote.ledger.append("training-xgboost", [trained], remote.ledger.version("training-xgboost"))

    synced = sync(remote, ("xgboost",), ALIASES, clean=True)

    assert (synced.removed, synced.errors) == ([], [])


@pytest.mark.parametrize("key", ["run-xgboost-2/meta.json", "rps_bot_xgboost/versions/2"])
def test_an_unreadable_copy_is_replaced(remote: Core, key: str) -> None:
    sync(remote, ("xgboost",), ALIASES)
    assert isinstance(remote.store, ObjectModelStore)
    remote.store._objects.put(key, b"{")

    synced = sync(remote, ("xgboost",), ALIASES)

    assert (synced.copied, len(synced.kept), synced.errors) == (["xgboost/v2"], 3, [])
    assert remote.store.get_model("xgboost", 2).version == 2


def test_a_stray_file_among_the_pointers_harms_nothing(settings: Settings) -> None:
    (settings.data_dir / "models" / "rps_bot_xgboost" / "versions" / "notes.txt").write_text("mind the gap")

    assert command(settings).exit_code == 0
    assert command(settings, "sync", "--clean").exit_code == 0


def test_a_version_that_is_nowhere_is_an_error_and_the_others_are_copied(
    remote: Core, registry: FaultyRegistry
) -> None:
    del registry.kept["xgboost", 2]

    synced = sync(remote, ("xgboost",), ALIASES)

    (error,) = synced.errors
    assert error.startswith("xgboost/v2: ")
    assert len(synced.copied) == 3


def test_a_store_that_is_down_is_asked_once(remote: Core, s3: S3Server) -> None:
    s3.stop()

    synced = sync(remote, FAMILIES, ALIASES, clean=True)

    s3.start()
    assert len(synced.errors) == 1
    assert (synced.copied, synced.kept, synced.removed) == ([], [], [])


def test_leftovers_of_dead_writers_are_removed_when_they_are_old(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = LocalStore(settings.data_dir / "models")
    objects.put("incoming/half-a-model", b"half")

    assert command(settings, "sync", "--clean").exit_code == 0
    assert objects.head("incoming/half-a-model")["size"] == 4
    monkeypatch.setattr(model_store, "LEFTOVER_AGE", timedelta(seconds=-5))
    assert command(settings, "sync", "--clean").exit_code == 0

    with pytest.raises(FileNotFoundError):
        objects.head("incoming/half-a-model")


def test_the_sync_command_tells_what_it_did(settings: Settings) -> None:
    (settings.data_dir / "models" / "rps_bot_xgboost" / "versions" / "2").unlink()

    result = command(settings, "sync", "--json")

    (record,) = records(result)
    assert (record["copied"], len(record["kept"]), record["errors"]) == (["xgboost/v2"], 11, [])
    assert "11 were there, 0 copied" not in result.stdout
    assert "12 were there, 0 copied, 0 removed" in command(settings, "sync").stdout


def test_the_sync_command_fails_when_it_could_not_do_it_all(settings: Settings) -> None:
    (settings.data_dir / "models" / "rps_bot_xgboost" / "versions" / "2").unlink()

    result = command(settings, "sync", MLFLOW_TRACKING_URI="http://127.0.0.1:1")

    assert result.exit_code == 1
    assert "error: " in result.stdout


def test_a_reload_with_clean_leaves_the_twelve(settings: Settings) -> None:
    with serving(settings) as client:
        service = client.app_state["service"]
        extra = service.core.store.get_model("xgboost", 1)
        extra = extra._replace(version=9, run_id="another", card=replace(extra.card, alias="B"))
        service.core.store.put_model("xgboost", extra)

        answer = ok(client.post("/models/reload", params={"clean": "true"}))

        assert (answer["success"], answer["minio_removed"], answer["minio_skipped"]) == (True, ["xgboost/v9"], 12)
        assert sorted(service.core.store.versions("xgboost")) == [1, 2, 3, 4]
