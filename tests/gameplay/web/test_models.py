from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from gameplay.promotion import planning
from gameplay.promotion.adoption import watch
from gameplay.promotion.assignments import assigned
from gameplay.web.app import create_app
from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES
from projections.decision.cycle import plan
from tests.builders import Versions, assignment
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.graphs import trained
from tests.gameplay.web_clients import (
    events_of,
    ok,
    play_on,
    samples,
    service_behind,
    start,
    wait_adopted,
    wait_until,
)

REPORT = "/internal/promotion/report"
COMPLETE = "/internal/training/complete"
RELOAD_KEYS = {
    "success",
    "reloaded",
    "failed",
    "minio_synced",
    "minio_skipped",
    "minio_errors",
    "registry_errors",
    "message",
}
EVERY_MODEL = [f"{family}/{alias}" for family in FAMILIES for alias in ALIASES]


def test_models_are_shown_by_family_and_alias(served: TestClient) -> None:
    shown = ok(served.get("/models"))

    assert list(shown) == list(FAMILIES)
    for family in shown.values():
        assert list(family["aliases"]) == list(ALIASES)
        assert family["registry_mismatch"] is None
    assert shown["xgboost"]["aliases"]["shadow1"] == {
        "version": 3,
        "run_id": "run-xgboost-3",
        "loaded": True,
        "source": "minio",
        "training_accuracy": pytest.approx(0.33),
    }


def test_a_reload_answers_for_every_model(served: TestClient) -> None:
    answer = ok(served.post("/models/reload"))

    assert answer.keys() == RELOAD_KEYS
    assert (answer["success"], answer["failed"], answer["reloaded"]) == (True, [], EVERY_MODEL)
    assert events_of(served, "serving.models_reloaded") == 3


def test_a_reload_of_one_alias_is_of_that_one(served: TestClient) -> None:
    answer = ok(served.post("/models/reload/xgboost/B"))

    assert answer["reloaded"] == ["xgboost/B"]
    assert events_of(served, "serving.models_reloaded") == 1


def test_a_sync_copies_what_the_store_lacks(served: TestClient, data_dir: Path) -> None:
    for family in ("rps_bot_xgboost", "rps_bot_mnlogit"):
        (data_dir / "models" / family / "versions" / "2").unlink()

    answer = ok(served.post("/models/reload", params={"sync_minio": "true"}))

    assert (answer["minio_synced"], answer["minio_skipped"], answer["minio_errors"]) == (2, 10, [])
    assert (data_dir / "models" / "rps_bot_xgboost" / "versions" / "2").exists()
    again = ok(served.post("/models/reload", params={"sync_minio": "true"}))
    assert (again["minio_synced"], again["minio_skipped"]) == (0, 12)


def test_a_reload_adopts_a_registry_that_differs(served: TestClient, registry: FaultyRegistry) -> None:
    registry.named["xgboost"]["shadow2"] = 6

    answer = ok(served.post("/models/reload"))

    assert answer["success"]
    shown = ok(served.get("/models"))["xgboost"]["aliases"]["shadow2"]
    assert (shown["version"], shown["loaded"], shown["source"]) == (6, True, "mlflow")


def test_a_reload_shows_a_registry_that_cannot_be_adopted(served: TestClient, registry: FaultyRegistry) -> None:
    del registry.named["xgboost"]["B"]

    ok(served.post("/models/reload"))

    assert ok(served.get("/models"))["xgboost"]["registry_mismatch"].endswith("not adopted: B not set")
    assert samples(served, "process")["rps_registry_mismatches"] == 1
    assert samples(served)['rps_model_alias_version{alias="B",model="xgboost"}'] == 2


def test_a_number_that_is_another_runs_is_shown_and_moves_nothing_until_it_is_repaired(
    served: TestClient, registry: FaultyRegistry, data_dir: Path
) -> None:
    lost = dict(registry.kept), dict(registry.named["xgboost"])
    pointers = pointers_of(data_dir)
    registry.lose("xgboost")
    for _ in ALIASES:
        registry.register("xgboost", trained((1, 0, 0)))
    registry.named["xgboost"] = lost[1]

    answer = ok(served.post("/models/reload", params={"sync_minio": "true"}))

    (problem,) = answer["registry_errors"]
    assert "it is run xgboost-run-1, and the ledger knows it as run run-xgboost-1" in problem
    assert (answer["success"], answer["minio_synced"], answer["minio_errors"]) == (True, 0, [])
    assert pointers_of(data_dir) == pointers
    assert problem.endswith(ok(served.get("/models"))["xgboost"]["registry_mismatch"])
    assert ok(served.get("/readyz"))["registry_mismatches"].keys() == {"xgboost"}
    assert samples(served, "process")["rps_registry_mismatches"] == 1
    assert aliases_of(served) == (1, 2, 3, 4)
    for refused in (
        served.post(REPORT, json={"model_type": "xgboost", "decision": "swap_production_b"}),
        served.post(COMPLETE, json={"model_type": "xgboost", "status": "success", "model_version": 2}),
    ):
        assert refused.status_code == 409
        assert "the ledger knows it as run" in refused.json()["detail"]

    registry.kept, registry.named["xgboost"] = lost
    watch(service_behind(served).core.promotion, FAMILIES)

    assert ok(served.get("/readyz"))["registry_mismatches"] == {}
    ok(served.post(REPORT, json={"model_type": "xgboost", "decision": "swap_production_b"}))
    assert aliases_of(served) == (2, 1, 3, 4)


def pointers_of(data_dir: Path) -> dict[str, bytes]:
    folder = data_dir / "models" / "rps_bot_xgboost" / "versions"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def aliases_of(client: TestClient) -> Versions:
    aliases = ok(client.get("/models"))["xgboost"]["aliases"]
    return tuple(aliases[alias]["version"] for alias in ALIASES)


def test_a_start_does_not_serve_another_run_under_the_number(registry: FaultyRegistry, data_dir: Path) -> None:
    """What lies in the store is of another run too, as an older release would have left it."""
    registry.lose("xgboost")
    registry.register("xgboost", trained((1, 0, 0)))
    (data_dir / "models" / "rps_bot_xgboost" / "versions" / "1").unlink()
    store = open_model_store(f"file://{data_dir / 'models'}")
    store.put_model("xgboost", registry.kept["xgboost", 1])
    app = create_app(Settings(data_dir=data_dir, promotion_schedule=None), registry=registry)

    with TestClient(app) as client:
        wait_until(lambda: "xgboost" in client.get("/readyz").json()["registry_mismatches"])
        readiness = client.get("/readyz").json()

    (missing,) = readiness["missing"]
    assert missing.startswith("xgboost: version 1 is not loaded")
    assert "the ledger knows it as run run-xgboost-1" in missing


def test_a_reload_without_a_registry_serves_what_is_known(served: TestClient, registry: FaultyRegistry) -> None:
    registry.down = True

    answer = ok(served.post("/models/reload"))

    assert answer["reloaded"] == EVERY_MODEL
    assert (len(answer["registry_errors"]), answer["minio_errors"]) == (3, [])


def test_a_registry_that_does_not_answer_is_asked_once(
    served: TestClient, registry: FaultyRegistry, data_dir: Path
) -> None:
    wait_adopted()
    service = service_behind(served)
    for family in FAMILIES:
        swapped = plan("manual", family, assignment(), assignment((2, 1, 3, 4)))
        service.core.ledger.append(promotion_stream(family), [swapped], 1)
    (data_dir / "models" / "rps_bot_xgboost" / "versions" / "3").unlink()
    registry.down = True
    before = registry.calls

    answer = ok(served.post("/models/reload", params={"sync_minio": "true"}))

    assert registry.calls == before + 1
    assert (len(answer["registry_errors"]), len(answer["minio_errors"])) == (3, 1)


def test_a_version_that_cannot_be_loaded_is_named(served: TestClient, registry: FaultyRegistry) -> None:
    wait_adopted()
    registry.down = True
    moved = assigned("xgboost", "registry", assignment(), assignment((1, 2, 3, 6)))
    service_behind(served).core.ledger.append(promotion_stream("xgboost"), [moved], 1)

    answer = ok(served.post("/models/reload"))

    assert not answer["success"]
    (failed,) = answer["failed"]
    assert failed.startswith("xgboost/shadow2: version 6 of xgboost cannot be loaded")
    assert len(answer["reloaded"]) == 11


def test_a_game_goes_on_with_its_own_versions_through_a_reload(
    served: TestClient, registry: FaultyRegistry
) -> None:
    game = start(served)
    registry.named["xgboost"] = dict(zip(ALIASES, (5, 6, 3, 4), strict=True))
    ok(served.post("/models/reload"))

    ended = play_on(served, game["game_id"])

    assert ended["model_info"]["model_version"] == {"Production": 1, "B": 2}[game["bot_model_alias"]]
    fresh = play_on(served, start(served)["game_id"])
    assert fresh["model_info"]["model_version"] in (5, 6)


def test_a_restart_after_a_training_leaves_running_games_their_versions(
    serve: Serve, registry: FaultyRegistry
) -> None:
    with serve() as client:
        game = start(client)["game_id"]
        registry.named["xgboost"] = dict(zip(ALIASES, (5, 6, 3, 4), strict=True))
        ok(client.post("/models/reload"))

    with serve() as client:
        ended = play_on(client, game)

        assert ended["model_info"]["model_version"] in (1, 2)
        assert events_of(client, "game.inference_fell_back") == 0


def test_a_version_that_only_a_running_game_misses_delays_no_start(
    serve: Serve, registry: FaultyRegistry, data_dir: Path
) -> None:
    with serve() as client:
        game = start(client)["game_id"]
        registry.named["xgboost"] = dict(zip(ALIASES, (5, 6, 3, 4), strict=True))
        ok(client.post("/models/reload"))
    for version in (1, 2):
        (data_dir / "models" / "rps_bot_xgboost" / "versions" / str(version)).unlink()
        del registry.kept["xgboost", version]

    with serve() as client:  # which waits until it is ready
        assert play_on(client, game)["model_info"]["probability_source"] == "uniform"


def test_a_plan_that_cannot_be_completed_delays_no_start(serve: Serve) -> None:
    with serve() as client:
        service = service_behind(client)
        planned = plan("manual", "xgboost", assignment(), assignment((9, 2, 3, 4)))
        service.core.ledger.append(promotion_stream("xgboost"), [planned], 1)

        assert ok(client.get("/readyz"))["ready"]

    with serve() as client:
        assert samples(client)['rps_model_promotion_pending{model="xgboost"}'] == 1


def test_a_registry_that_differs_at_the_start_is_adopted_and_loaded(
    serve: Serve, registry: FaultyRegistry
) -> None:
    registry.named["xgboost"] |= {"B": 5}
    with serve() as client:
        service = service_behind(client)
        wait_until(lambda: service.core.promotion.state("xgboost").promotion.aliases["B"] == 5)

        wait_until(lambda: client.get("/readyz").status_code == 200)

        assert service.core.models.is_loaded("xgboost", 5)


def test_an_open_plan_is_finished_at_the_start(serve: Serve, settings: Settings, registry: FaultyRegistry) -> None:
    with serve() as client:
        service = service_behind(client)
        assignment = service.core.promotion.state("xgboost").assignment()
        registry.down = True
        swapped = type(assignment)(Production=2, B=1, shadow1=3, shadow2=4)
        assert not planning.move(service.core.promotion, "xgboost", swapped, cause="manual")
    registry.down = False

    with serve(settings) as client:
        wait_until(lambda: samples(client)['rps_model_promotion_pending{model="xgboost"}'] == 0)
        assert registry.named["xgboost"]["Production"] == 2
        assert samples(client)['rps_model_alias_version{alias="B",model="xgboost"}'] == 1


def test_a_start_without_a_registry_serves(serve: Serve, registry: FaultyRegistry) -> None:
    registry.down = True
    with serve() as client:
        assert play_on(client, start(client)["game_id"])["model_info"]["probability_source"] == "model"


def test_a_start_appends_nothing(serve: Serve, settings: Settings) -> None:
    ledger = Ledger(open_engine(settings.database_url))
    head = ledger.head()

    for _ in range(2):
        with serve():
            pass

    assert ledger.head() == head
    ledger.engine.dispose()


@pytest.mark.parametrize("status", ["success", "failure"])
def test_a_finished_training_is_answered_and_counted(served: TestClient, status: str) -> None:
    body = {"model_type": "xgboost", "status": status, "duration_seconds": 45.5, "alias": "B", "accuracy": 0.5}

    answer = ok(served.post("/internal/training/complete", json=body))

    assert answer == {"success": True, "source": None, "model_version": None, **body}
    shown = samples(served)
    known = 4 if status == "success" else 0
    assert shown[f'rps_training_completed_total{{model_type="xgboost",status="{status}"}}'] == known + 1
    assert shown['rps_training_duration_seconds_count{model_type="xgboost"}'] == 5
    assert shown['rps_training_duration_seconds_bucket{le="60.0",model_type="xgboost"}'] == 5
    assert shown['rps_training_duration_seconds_bucket{le="30.0",model_type="xgboost"}'] == 4


def test_a_training_needs_no_more_than_family_and_status(served: TestClient) -> None:
    answer = ok(served.post("/internal/training/complete", json={"model_type": "xgboost", "status": "success"}))

    assert answer.keys() == {
        "success",
        "model_type",
        "status",
        "duration_seconds",
        "alias",
        "source",
        "accuracy",
        "model_version",
    }
    assert samples(served)['rps_training_duration_seconds_count{model_type="xgboost"}'] == 4


ACCURACY = 'rps_model_training_accuracy{alias="B",model="xgboost"}'
TRAINED = {"model_type": "xgboost", "status": "success", "alias": "B", "accuracy": 0.77}


def test_a_training_elsewhere_is_of_the_version_that_came_behind_the_alias(
    served: TestClient, registry: FaultyRegistry
) -> None:
    registry.named["xgboost"]["B"] = 5

    answer = ok(served.post("/internal/training/complete", json=TRAINED))

    assert answer["model_version"] == 5
    assert samples(served)[ACCURACY] == 0.77
    assert samples(served)['rps_model_alias_version{alias="B",model="xgboost"}'] == 5


@pytest.mark.parametrize("down", [False, True])
def test_a_training_elsewhere_is_of_no_version_whose_run_is_known(
    served: TestClient, registry: FaultyRegistry, down: bool
) -> None:
    registry.down = down

    answer = ok(served.post("/internal/training/complete", json=TRAINED))

    assert answer["model_version"] is None
    assert samples(served)[ACCURACY] == pytest.approx(0.32)


def test_a_report_of_a_version_that_does_not_exist_is_refused(
    served: TestClient, registry: FaultyRegistry
) -> None:
    body = {**TRAINED, "model_version": 999_999}
    before = events_of(served, "training.completed")

    unknown = served.post("/internal/training/complete", json=body)
    registry.down = True
    away = served.post("/internal/training/complete", json=body)

    assert (unknown.status_code, away.status_code) == (422, 503)
    assert unknown.json()["detail"] == f"there is no version 999999 of {TRAINED['model_type']}"
    assert events_of(served, "training.completed") == before


def test_a_training_elsewhere_may_name_its_version(served: TestClient, registry: FaultyRegistry) -> None:
    answer = ok(served.post("/internal/training/complete", json={**TRAINED, "model_version": 5}))
    registry.named["xgboost"]["B"] = 5
    ok(served.post("/models/reload"))

    assert answer["model_version"] == 5
    assert samples(served)[ACCURACY] == 0.77
