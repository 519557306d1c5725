"""The promotion history in the words of simPod's data source."""

from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.history_query import LEDGER_COLUMNS, SWAP_COLUMNS
from gameplay.observability.dashboard.history_targets import SIMPOD
from gameplay.observability.dashboard.parts import annotations, panels
from gameplay.observability.dashboard.variants import translated
from ledger.vocabulary import DECISIONS, FAMILIES
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import REPORT_PATH, history, ok

ROOT = "/internal/grafana"
RANGE = {
    "from": "2025-01-01T00:00:00.000Z",
    "to": "2099-01-01T00:00:00.000Z",
    "raw": {"from": "now-6h", "to": "now"},
}


def report(
    client: TestClient, decision: str = "retain_production", family: str = "xgboost", **more: object
) -> None:
    ok(client.post(REPORT_PATH, json={"model_type": family, "decision": decision, "reason": "so it is", **more}))


def ask(client: TestClient, *targets: dict[str, Any], **more: object) -> httpx2.Response:
    body = {"panelId": 218, "range": RANGE, "targets": list(targets), "scopedVars": {}, "filters": [], **more}
    return client.post(f"{ROOT}/query", json=body)


def columns(frame: dict[str, Any]) -> dict[str, list[Any]]:
    return {field["name"]: field["values"] for field in frame["fields"]}


def test_save_and_test_gets_an_answer(serve: Serve) -> None:
    with serve() as client:
        assert ok(client.get(ROOT))["ok"] is True
        assert ok(client.get(f"{ROOT}/"))["ok"] is True


def test_the_metrics_are_listed_with_their_form_fields(serve: Serve) -> None:
    with serve() as client:
        metrics = {one["value"]: one for one in ok(client.post(f"{ROOT}/metrics", json={}))}

    assert metrics.keys() == {"promotion_history", "promotion_swaps", "promotion_event_totals"}
    fields = {field["name"]: field for field in metrics["promotion_history"]["payloads"]}
    assert fields["limit"]["type"] == "input"
    assert [option["value"] for option in fields["decision"]["options"]] == list(DECISIONS)


def test_the_options_of_a_form_field_are_its_words(serve: Serve) -> None:
    with serve() as client:
        asked = {"metric": "promotion_history", "payload": {}, "name": "model_type"}
        options = ok(client.post(f"{ROOT}/metric-payload-options", json=asked))

    assert [option["value"] for option in options] == list(FAMILIES)


def test_the_dashboards_own_query_gives_the_rows_of_the_history(serve: Serve) -> None:
    (panel,) = (one for one in panels(translated(generated_dashboard(), SIMPOD)) if one["id"] == 218)
    with serve() as client:
        report(client, "insufficient_data")
        report(client, z_statistic=0.5, p_value=0.31, production_wins=3, production_total_games=8)
        (frame,) = ok(ask(client, *panel["targets"]))
        rows = history(client)

    assert frame["refId"] == "A"
    assert [field["type"] for field in frame["fields"]] == [column.type for column in LEDGER_COLUMNS]
    shown = columns(frame)
    assert list(shown) == [column.heading for column in LEDGER_COLUMNS]
    assert shown.pop("Time") == [row["ts_ms"] for row in rows]
    for column in LEDGER_COLUMNS[1:]:
        assert shown[column.heading] == [row[column.key] for row in rows]
    # The newest first, and a null in the first row would do no harm.
    assert shown["p"] == [0.31, None]


def test_annotations_are_the_swaps_of_the_time_range(serve: Serve) -> None:
    target = annotations(translated(generated_dashboard(), SIMPOD))[-1]["target"]
    with serve() as client:
        report(client)
        report(client, "swap_production_b", "feedforward_nn", p_value=0.01, z_statistic=2.3)
        (frame,) = ok(ask(client, target))
        (before,) = ok(ask(client, target, range={"from": "2025-01-01T00:00:00Z", "to": "2025-02-01T00:00:00Z"}))

    swaps = columns(frame)
    assert list(swaps) == [column.heading for column in SWAP_COLUMNS]
    assert swaps["title"] == ["feedforward_nn: Production and B swapped"]
    assert swaps["tags"] == ["promotion,feedforward_nn,swap_production_b"]
    assert columns(before)["time"] == []


def test_totals_are_those_of_the_totals_route(serve: Serve) -> None:
    with serve() as client:
        report(client, "insufficient_data")
        (frame,) = ok(ask(client, {"refId": "B", "target": "promotion_event_totals", "payload": {"days": ""}}))
        totals = ok(client.get("/internal/promotion/event_totals"))

    assert frame["refId"] == "B"
    assert columns(frame)["insufficient_data"] == [row["insufficient_data"] for row in totals]
    assert columns(frame)["Model"][-1] == "ALL"
    assert columns(frame)["Cycles"][-1] == 1


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"limit": "1"}, ["retain_production"]),
        ({"limit": 2, "model_type": "xgboost"}, ["retain_production", "insufficient_data"]),
        ({"decision": "insufficient_data", "limit": ""}, ["insufficient_data"]),
        ({"model_type": "feedforward_nn"}, []),
        ({"model_type": ["feedforward_nn"], "decision": []}, []),
        ({"model_type": ["feedforward_nn", "xgboost"], "limit": "1"}, ["retain_production"]),
        ({"decision": "{insufficient_data,alias_reorder}", "model_type": ""}, ["insufficient_data"]),
        (None, ["retain_production", "insufficient_data"]),
    ],
)
def test_form_fields_narrow_the_rows(serve: Serve, payload: dict[str, Any] | None, expected: list[str]) -> None:
    with serve() as client:
        report(client, "insufficient_data")
        report(client)
        (frame,) = ok(ask(client, {"refId": "A", "target": "promotion_history", "payload": payload}))

    assert columns(frame)["Decision"] == expected


def test_variables_are_the_closed_sets(serve: Serve) -> None:
    with serve() as client:
        asked = {"payload": {"target": "models"}, "range": RANGE}
        models = ok(client.post(f"{ROOT}/variable", json=asked))

    assert models == [{"__text": family, "__value": family} for family in FAMILIES]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("query", {"targets": [{"target": "rps_games_total"}]}, "rps_games_total"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"limit": "many"}}]}, "limit='many'"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"limit": 201}}]}, "between 1 and 200"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"limit": 0}}]}, "between 1 and 200"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"limit": "1_0"}}]}, "limit='1_0'"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"limit": "\uff11"}}]}, "limit="),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"model_type": 0}}]}, "model_type=0"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"model_type": "{}"}}]}, "model_type"),
        ("query", {"targets": [{"target": "promotion_swaps", "payload": {"model_type": ["B", 1]}}]}, "model_type"),
        ("query", {"targets": [{"target": "promotion_event_totals", "payload": {"days": False}}]}, "days=False"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"decision": "maybe"}}]}, "maybe"),
        ("query", {"targets": [{"target": "promotion_history", "payload": {"model_type": ["a"]}}]}, "model_type"),
        ("query", {"targets": [{"target": "promotion_swaps"}], "range": {"from": "soon", "to": "now"}}, "range"),
        ("query", {"targets": [{}] * 21}, "20"),
        ("query", {"targets": "all"}, "targets"),
        ("metric-payload-options", {"name": "limit"}, "limit"),
        ("variable", {"payload": {"target": "users"}}, "users"),
        ("variable", {}, "unknown"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(serve: Serve, path: str, body: object, said: str) -> None:
    with serve() as client:
        answer = client.post(f"{ROOT}/{path}", json=body)

    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("path", ["query", "variable", "metric-payload-options"])
def test_what_is_no_json_is_refused(serve: Serve, path: str) -> None:
    with serve() as client:
        assert client.post(f"{ROOT}/{path}", content=b"{").status_code == 400


@pytest.mark.parametrize("unset", [{}, {"target": "", "payload": {}}, {"target": None}])
def test_a_query_that_asks_for_nothing_yet_leaves_the_others_alone(serve: Serve, unset: dict[str, Any]) -> None:
    with serve() as client:
        frames = ok(ask(client, {"refId": "B", **unset}, {"refId": "A", "target": "promotion_history"}))

    assert [frame["refId"] for frame in frames] == ["A"]


def test_no_targets_are_no_frames(serve: Serve) -> None:
    with serve() as client:
        assert ok(ask(client)) == []
