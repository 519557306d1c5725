from typing import Any

from starlette.testclient import TestClient

from ledger.vocabulary import FAMILIES
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import events_of, history, ok, service_behind, state

PATH = "/internal/promotion/cycle"


def cycle(client: TestClient, key: str | None = None, **body: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ok(client.post(PATH, json=body, headers={"Idempotency-Key": key} if key else {}))
    return rows


def test_a_cycle_of_every_family_is_answered_with_its_rows(served: TestClient) -> None:
    rows = cycle(served, reason="the nightly job")

    assert {row["model_type"] for row in rows} == set(FAMILIES)
    assert rows == history(served, order="asc")
    assert {row["source"] for row in rows} == {"the nightly job"}
    assert {row["decision"] for row in rows} == {"insufficient_data"}


def test_a_cycle_of_one_family_names_http_as_its_source(served: TestClient) -> None:
    (row,) = cycle(served, model_type="xgboost")

    assert (row["model_type"], row["source"], row["promotion_cycles_since_swap"]) == ("xgboost", "http", 1)
    assert events_of(served, "promotion.cycle_decided") == 1


def test_a_dry_run_has_rows_without_a_position_and_writes_nothing(served: TestClient) -> None:
    before = state(served)

    rows = cycle(served, dry_run=True)

    assert [row["id"] for row in rows] == [row["position"] for row in rows] == [None] * 3
    assert state(served) == before


def test_the_same_key_is_one_cycle_and_another_source_under_it_is_409(served: TestClient) -> None:
    first = cycle(served, "job-1", reason="nightly")
    before = state(served)

    assert cycle(served, "job-1", reason="nightly") == first
    other = served.post(PATH, json={"reason": "by hand"}, headers={"Idempotency-Key": "job-1"})

    assert other.status_code == 409
    assert "the key 'job-1' belongs to cycle 1, of 'nightly'" in other.json()["detail"]
    assert state(served) == before
    assert len(cycle(served, "job-2", reason="nightly")) == 3


def test_a_cycle_while_a_plan_cannot_be_completed_is_409_with_the_cause(
    served: TestClient, registry: FaultyRegistry
) -> None:
    promotion = service_behind(served).core.promotion
    ok(served.post("/internal/promotion/swap", json={"model_type": "xgboost", "reason": "a test"}))

    def go_down() -> None:
        registry.down = True

    registry.at_assignment(1, go_down)
    served.post("/internal/promotion/undo", json={"model_type": "xgboost", "reason": "a test"})

    refused = served.post(PATH, json={"model_type": "xgboost"})

    assert (refused.status_code, "stays open" in refused.json()["detail"]) == (409, True)
    rows = {row["model_type"]: row for row in cycle(served)}
    undecided = rows.pop("xgboost")
    assert rows.keys() == {"feedforward_nn", "multinomial_logistic"}
    assert all("problem" not in row and row["decision"] for row in rows.values())
    assert "stays open" in undecided["problem"]
    assert undecided.keys() == {*rows["feedforward_nn"], "problem"}
    assert {undecided[key] for key in undecided.keys() - {"model_type", "problem", "tags"}} == {None}
    registry.down = False
    assert len(cycle(served)) == 3
    assert promotion.problems == {}
