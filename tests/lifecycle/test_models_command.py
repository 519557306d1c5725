"""`rps models`, and the model store in order: the twelve versions and nothing else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from obstore.store import LocalStore

from gameplay.cli import rps
from gameplay.config import Settings
from gameplay.models import store as model_store
from ledger.vocabulary import ALIASES, FAMILIES
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
        assert 0 < one["age_seconds"] < 86_400
        assert (one["source"], one["trained_by"]) == ("minio", "setup")


def test_accuracies_by_player_come_with_their_intervals(settings: Settings) -> None:
    shown = records(command(settings, "--by-opponent", "--json"))

    for one in shown:
        assert set(one["by_opponent"]) >= {"cal", "gus"}
        for score in one["by_opponent"].values():
            low, high = score["interval"]
            assert 0 <= low <= score["correct"] / score["rows"] <= high <= 1


def test_a_registry_that_is_away_is_no_registry_that_agrees(settings: Settings) -> None:
    away = "http://127.0.0.1:1"

    shown = records(command(settings, "--json", MLFLOW_TRACKING_URI=away))
    table = command(settings, MLFLOW_TRACKING_URI=away).stdout

    (why,) = {one["registry_unreachable"] for one in shown}
    assert why
    assert f"not compared with the registry: {why}" in table
    assert {one["registry_unreachable"] for one in records(command(settings, "--json"))} == {None}


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


def test_a_stray_file_among_the_pointers_harms_nothing(settings: Settings) -> None:
    (settings.data_dir / "models" / "rps_bot_xgboost" / "versions" / "notes.txt").write_text("mind the gap")

    assert command(settings).exit_code == 0
    assert command(settings, "sync", "--clean").exit_code == 0


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


def test_the_sync_command_reports_what_it_did(settings: Settings) -> None:
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
