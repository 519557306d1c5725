import json
import threading
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.promotion import planning
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.decision.rules import KNOWN_RULES
from tests.builders import assignment
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import (
    HISTORY_PATH,
    REPORT_PATH,
    history,
    ok,
    play_on,
    samples,
    service_behind,
    start,
    state,
)

TOTALS_PATH = "/internal/promotion/event_totals"
ANSWER_KEYS = {
    "success",
    "event_id",
    "model_type",
    "decision",
    "reorder_applied",
    "reason",
    "production_games_since_swap",
    "b_games_since_swap",
    "promotion_cycles_since_swap",
    "tickers_differ",
}
ROW_KEYS = {
    "id",
    "ts",
    "ts_ms",
    "created_ts_utc",
    "model_type",
    "decision",
    "z_statistic",
    "p_value",
    "production_wins",
    "production_total_games",
    "production_win_rate",
    "b_wins",
    "b_total_games",
    "b_win_rate",
    "production_games_since_swap",
    "b_games_since_swap",
    "promotion_cycles_since_swap",
    "reorder_applied",
    "applied",
    "rule",
    "alpha",
    "reason_code",
    "reason",
    "source",
    "rank1_summary",
    "rank2_summary",
    "rank3_summary",
    "step2_order",
    "step2_accuracy",
    "step2_sources",
    "title",
    "text",
    "tags",
    "position",
}
DETAIL_KEYS = {"alias_rankings", "alias_accuracies", "alias_assignments", "evidence", "statistics", "verdicts"}
FULL_REPORT = {
    "model_type": "xgboost",
    "decision": "swap_production_b",
    "z_statistic": 1.5,
    "p_value": 0.0668,
    "production_wins": 8,
    "production_total_games": 20,
    "b_wins": 15,
    "b_total_games": 20,
    "reorder_applied": False,
    "alias_rankings": [
        {"alias": "B", "rank": 1, "source_alias": "Production", "accuracy": 0.45, "total_predictions": 90},
        {"alias": "shadow1", "rank": 2, "source_alias": "shadow1", "accuracy": 0.4, "total_predictions": 90},
        {"alias": "shadow2", "rank": 3, "source_alias": "shadow2", "accuracy": 0, "total_predictions": 0},
    ],
    "alias_accuracies": [{"alias": "Production", "source_alias": "B", "accuracy": 0.5, "total_predictions": 90}],
    "alias_assignments": [
        {"alias": "Production", "version": 2, "source_alias": "B", "previous_version": 1, "changed": True}
    ],
    "production_games_since_swap": 0,
    "b_games_since_swap": 0,
    "promotion_cycles_since_swap": 0,
    "reason": "B was better",
    "source": "airflow",
    "created_ts_utc": "2026-01-02T03:04:05Z",
    "a_field_of_tomorrow": {"x": [1, None]},
}


def report(client: TestClient, decision: str = "retain_production", **more: object) -> dict[str, Any]:
    answer = ok(client.post(REPORT_PATH, json={"model_type": "xgboost", "decision": decision, **more}))
    assert isinstance(answer, dict)
    return answer


def test_a_report_is_answered_with_all_that_the_contract_names(served: TestClient) -> None:
    answer = ok(served.post(REPORT_PATH, json=FULL_REPORT))

    assert answer.keys() == ANSWER_KEYS
    assert answer["success"] is True
    assert (answer["model_type"], answer["decision"]) == ("xgboost", "swap_production_b")
    assert (answer["reorder_applied"], answer["reason"]) == (False, "B was better")
    assert answer["tickers_differ"] == []
    assert isinstance(answer["event_id"], int)
    assert history(served)[0]["id"] == answer["event_id"]


def test_tickers_that_the_reporter_sees_otherwise_are_named(served: TestClient) -> None:
    play_on(served, start(served)["game_id"])

    answer = report(served, production_games_since_swap=77, b_games_since_swap=77, promotion_cycles_since_swap=1)

    assert answer["tickers_differ"] == ["production_games_since_swap", "b_games_since_swap"]
    assert answer["production_games_since_swap"] + answer["b_games_since_swap"] == 1
    (row,) = history(served, detail=1)
    assert row["production_games_since_swap"] == answer["production_games_since_swap"]
    assert row["report"]["production_games_since_swap"] == 77


def test_a_history_row_has_every_key_whatever_was_left_out(served: TestClient) -> None:
    report(served)
    ok(served.post(REPORT_PATH, json=FULL_REPORT))

    full, bare = history(served)

    assert full.keys() == bare.keys() == ROW_KEYS
    for row in (full, bare):
        assert not any(isinstance(value, list | dict) for value in row.values())
        assert row["id"] == row["position"]
        assert row["ts"].endswith("Z")
        assert row["tags"].startswith("promotion,xgboost,")
    assert bare["rank1_summary"] is bare["production_wins"] is bare["z_statistic"] is bare["applied"] is None
    assert (full["production_win_rate"], full["b_win_rate"]) == (0.4, 0.75)
    assert (full["z_statistic"], full["p_value"], full["applied"]) == (1.5, 0.0668, True)
    assert [full[f"rank{place}_summary"] for place in (1, 2, 3)] == [
        "B 45.0% of 90",
        "shadow1 40.0% of 90",
        "shadow2 0.0% of 0",
    ]
    assert full["step2_order"] == "B > shadow1 > shadow2"
    assert full["step2_sources"] == "Production, shadow1, shadow2"
    assert full["text"] == full["reason"] == "B was better"


def test_a_swaps_own_row_shows_zero_tickers(served: TestClient) -> None:
    play_on(served, start(served)["game_id"])
    report(served)
    report(served, "swap_production_b")

    swap, retained = history(served)

    tickers = ("production_games_since_swap", "b_games_since_swap", "promotion_cycles_since_swap")
    assert [swap[name] for name in tickers] == [0, 0, 0]
    assert sum(retained[name] for name in tickers) == 2


def test_detail_adds_the_lists_and_the_evidence(served: TestClient) -> None:
    ok(served.post(REPORT_PATH, json=FULL_REPORT))

    (row,) = history(served, detail=1)

    assert row.keys() >= ROW_KEYS | DETAIL_KEYS
    assert [ranked["alias"] for ranked in row["alias_rankings"]] == ["B", "shadow1", "shadow2"]
    assert row["alias_accuracies"][0]["accuracy"] == 0.5
    moved = {one["alias"]: (one["previous_version"], one["version"]) for one in row["alias_assignments"]}
    assert moved == {"Production": (1, 2), "B": (2, 1), "shadow1": (3, 3), "shadow2": (4, 4)}
    assert row["evidence"]["production"]["version"] == 1
    assert (row["reason_code"], row["statistics"], row["verdicts"]) == ("reported", None, [])


def test_detail_says_what_every_rule_says(served: TestClient) -> None:
    planning.cycle(service_behind(served).core.promotion, "xgboost", trigger="manual", source="test")

    (row,) = history(served, detail=1)

    assert row["reason_code"] == "too_few_games"
    assert {verdict["rule"]: verdict["decision"] for verdict in row["verdicts"]} == dict.fromkeys(
        KNOWN_RULES, "insufficient_data"
    )
    assert row["statistics"]["log_e"] == 0
    assert row["statistics"]["difference"] is row["statistics"]["exact_p"] is None


def test_a_cycle_of_our_own_has_a_row_like_any_other(served: TestClient) -> None:
    planning.cycle(service_behind(served).core.promotion, "xgboost", trigger="manual", source="test")

    (row,) = history(served)

    assert row.keys() == ROW_KEYS
    assert (row["decision"], row["rule"], row["alpha"], row["source"]) == (
        "insufficient_data",
        "ztest/1",
        0.2,
        "test",
    )
    assert (row["production_wins"], row["production_total_games"], row["production_win_rate"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("decision", "more", "counted"),
    [
        ("alias_reorder", {}, {"alias_reorder": 1}),
        ("alias_reorder", {"reorder_applied": True}, {"alias_reorder": 1}),
        ("retain_production", {"reorder_applied": True}, {"alias_reorder": 1, "retain_production": 1}),
        ("swap_production_b", {}, {"swap_production_b": 1}),
        ("insufficient_data", {}, {"insufficient_data": 1}),
    ],
)
def test_each_decision_counts_once(
    served: TestClient, decision: str, more: dict[str, object], counted: dict[str, int]
) -> None:
    assert report(served, decision, **more)["reorder_applied"] is ("alias_reorder" in counted)

    shown = samples(served)
    series = {word: f'rps_model_promotion_events_total{{decision="{word}",model="xgboost"}}' for word in DECISIONS}
    assert {word: shown[series[word]] for word in DECISIONS if shown[series[word]]} == counted
    assert shown['rps_model_alias_reorders_total{model="xgboost"}'] == counted.get("alias_reorder", 0)
    assert len(history(served, decision="alias_reorder")) == counted.get("alias_reorder", 0)
    totals = {row["model"]: row for row in ok(served.get(TOTALS_PATH))}
    assert {word: totals["xgboost"][word] for word in DECISIONS if totals["xgboost"][word]} == counted
    assert totals["xgboost"]["total_events"] == totals["ALL"]["total_events"] == 1


def test_gauges_without_a_test_are_absent(served: TestClient) -> None:
    gauges = ('rps_model_promotion_z_statistic{model="xgboost"}', 'rps_model_promotion_p_value{model="xgboost"}')
    assert not any(gauge in samples(served) for gauge in gauges)

    report(served, z_statistic=-0.25, p_value=0.6)
    assert [samples(served)[gauge] for gauge in gauges] == [-0.25, 0.6]

    report(served, "insufficient_data")
    assert not any(gauge in samples(served) for gauge in gauges)


def test_a_swap_that_adoption_has_recorded_does_not_swap_again(
    served: TestClient, registry: FaultyRegistry
) -> None:
    registry.named["xgboost"] |= {"Production": 2, "B": 1}
    ok(served.post("/models/reload"))
    assert samples(served)['rps_model_alias_version{alias="Production",model="xgboost"}'] == 2

    report(served, "swap_production_b")

    shown = samples(served)
    assert shown['rps_model_alias_version{alias="Production",model="xgboost"}'] == 2
    assert shown['rps_model_promotion_events_total{decision="swap_production_b",model="xgboost"}'] == 1


def send(client: TestClient, body: object, key: str) -> httpx2.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return client.post(REPORT_PATH, content=content, headers={"Idempotency-Key": key})


def test_the_same_key_gets_the_first_answer(served: TestClient) -> None:
    first = ok(send(served, FULL_REPORT, "k-1"))
    play_on(served, start(served)["game_id"])
    after = state(served)

    reordered = dict(reversed(FULL_REPORT.items()))
    for body in (FULL_REPORT, reordered, json.dumps(FULL_REPORT, indent=3, sort_keys=True)):
        assert ok(send(served, body, "k-1")) == first
    for other in ({**FULL_REPORT, "reason": "another"}, {**FULL_REPORT, "a_field_of_tomorrow": 1}):
        refused = send(served, other, "k-1")
        assert refused.status_code == 409
        assert "k-1" in refused.json()["detail"]
    assert state(served) == after
    assert ok(send(served, FULL_REPORT, "k-2"))["event_id"] > first["event_id"]


def test_the_same_key_gets_the_first_answer_after_a_restart(serve: Serve) -> None:
    with serve() as client:
        first = ok(send(client, FULL_REPORT, "k"))
    with serve() as client:
        assert ok(send(client, FULL_REPORT, "k")) == first


def test_the_same_key_at_once_is_recorded_once(served: TestClient) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ok(send(served, FULL_REPORT, "k")))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [answers[0]] * 8
    assert len(history(served)) == 1


def test_two_bodies_under_one_key_at_once_leave_one(served: TestClient) -> None:
    statuses: list[int] = []
    bodies = [{**FULL_REPORT, "reason": str(number)} for number in range(6)]
    threads = [
        threading.Thread(target=lambda body=body: statuses.append(send(served, body, "k").status_code))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [409] * 5
    assert len(history(served)) == 1


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_key_that_is_none_is_refused(served: TestClient, key: str) -> None:
    before = state(served)

    assert send(served, FULL_REPORT, key).status_code == 400
    assert state(served) == before


def test_two_keys_are_refused(served: TestClient) -> None:
    keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    refused = served.post(
        REPORT_PATH, json={"model_type": "xgboost", "decision": "retain_production"}, headers=keys
    )

    assert (refused.status_code, history(served)) == (400, [])


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_history_is_in_the_order_that_was_asked_for(served: TestClient, order: str) -> None:
    ids = [report(served)["event_id"] for _ in range(3)]

    assert [row["id"] for row in history(served, order=order)] == (ids if order == "asc" else ids[::-1])


def test_history_is_followed_by_its_links_to_the_end(served: TestClient) -> None:
    ids = [report(served)["event_id"] for _ in range(5)]
    seen: list[int] = []
    url: str | None = f"{HISTORY_PATH}?limit=2&model_type=xgboost&since=2020-01-01T00:00:00%2B01:00"

    pages = []
    while url:
        response = served.get(url)
        assert response.headers["cache-control"] == "no-store"
        pages.append(len(ok(response)))
        seen += [row["id"] for row in response.json()]
        link = response.headers.get("link")
        assert link is None or link.endswith('>; rel="next"')
        url = link.partition(">")[0].removeprefix("<") if link else None

    assert seen == ids[::-1]
    assert pages == [2, 2, 1]
    assert history(served, before_id=ids[0]) == []
    assert ok(served.get(HISTORY_PATH, params={"limit": 5})) == history(served, limit=200)


def test_the_link_after_a_full_last_page_leads_to_the_empty_list(served: TestClient) -> None:
    for _ in range(2):
        report(served)

    link = served.get(HISTORY_PATH, params={"limit": 2}).headers["link"]
    following = served.get(link.partition(">")[0].removeprefix("<"))

    assert (ok(following), "link" in following.headers) == ([], False)


@pytest.mark.parametrize("unit", ["iso", "iso with zone", "seconds", "milliseconds"])
def test_history_is_cut_by_time(served: TestClient, unit: str) -> None:
    report(served)
    (row,) = history(served)
    seconds = row["ts_ms"] // 1_000

    def state(offset: int) -> str:
        at = seconds + offset
        return {
            "iso": _iso(at),
            "iso with zone": _iso(at + 3_600).replace("Z", "+01:00"),
            "seconds": str(at),
            "milliseconds": str(at * 1_000),
        }[unit]

    for name in ("since", "from"):
        assert len(history(served, **{name: state(-5)})) == 1
        assert history(served, **{name: state(5)}) == []
    assert history(served, to=state(-5)) == []
    assert len(history(served, to=state(5))) == 1


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_history_is_cut_by_family_and_decision(served: TestClient) -> None:
    for family in FAMILIES:
        report(served, model_type=family)
    report(served, "insufficient_data")

    assert [row["model_type"] for row in history(served, model_type="feedforward_nn")] == ["feedforward_nn"]
    assert [row["decision"] for row in history(served, decision="insufficient_data")] == ["insufficient_data"]
    assert len(history(served, decision="retain_production", model_type="xgboost")) == 1
    assert len(history(served, unknown_parameter="x", _="1")) == 4


def test_a_repeated_word_means_any_of_them(served: TestClient) -> None:
    for family in ("xgboost", "feedforward_nn", "multinomial_logistic"):
        for decision in ("retain_production", "insufficient_data"):
            ok(served.post(REPORT_PATH, json={"model_type": family, "decision": decision}))

    two = history(served, model_type=["xgboost", "feedforward_nn"])
    assert {row["model_type"] for row in two} == {"xgboost", "feedforward_nn"}
    assert len(two) == 4
    assert len(history(served, decision=["retain_production", "insufficient_data"], model_type="xgboost")) == 2
    assert len(history(served, decision=["retain_production", "alias_reorder"])) == 3
    assert history(served, model_type=["xgboost", "xgboost"]) == history(served, model_type="xgboost")
    assert history(served, model_type=["", "xgboost"]) == history(served, model_type="xgboost")


def test_a_link_keeps_every_word(served: TestClient) -> None:
    for family in ("xgboost", "feedforward_nn", "multinomial_logistic") * 2:
        ok(served.post(REPORT_PATH, json={"model_type": family, "decision": "retain_production"}))
    asked = {"limit": "1", "model_type": ["xgboost", "feedforward_nn"]}

    found, response = [], served.get(HISTORY_PATH, params=asked)
    while rows := ok(response):
        found += rows
        response = served.get(response.links["next"]["url"])

    assert found == history(served, model_type=asked["model_type"])


def test_totals_have_a_row_for_each_model_and_all(served: TestClient) -> None:
    report(served, "swap_production_b")
    report(served, reorder_applied=True)
    report(served, model_type="feedforward_nn")

    rows = ok(served.get(TOTALS_PATH, params={"days": 1}))

    assert [row["model"] for row in rows] == [*FAMILIES, "ALL"]
    for row in rows:
        assert row.keys() == {"model", "period_start", "period_end", *DECISIONS, "total_events"}
        assert row["period_start"] < row["period_end"]
    everything = rows[-1]
    assert {name: everything[name] for name in (*DECISIONS, "total_events")} == {
        "swap_production_b": 1,
        "retain_production": 2,
        "insufficient_data": 0,
        "alias_reorder": 1,
        "total_events": 3,
    }


def test_a_pending_plan_is_a_gauge_until_it_is_applied(served: TestClient, registry: FaultyRegistry) -> None:
    promotion = service_behind(served).core.promotion
    registry.down = True
    assert not planning.move(promotion, "xgboost", assignment((2, 1, 3, 4)), cause="manual")
    assert samples(served)['rps_model_promotion_pending{model="xgboost"}'] == 1
    refused = served.post(REPORT_PATH, json={"model_type": "xgboost", "decision": "retain_production"})
    assert refused.status_code == 409

    registry.down = False
    report(served)

    assert samples(served)['rps_model_promotion_pending{model="xgboost"}'] == 0
    assert registry.named["xgboost"]["Production"] == 2
