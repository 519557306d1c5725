from typing import Any

import pytest
from starlette.testclient import TestClient

from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import Origin, SwapOrder
from ledger.vocabulary import Family
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import HISTORY_PATH, events_of, ok, samples, service_behind, state

FAMILY: Family = "xgboost"
ORDER = {"model_type": FAMILY, "reason": "a campaign", "actor": "ada"}


def path(name: str) -> str:
    return f"/internal/promotion/{name}"


def order(client: TestClient, name: str, key: str | None = None, **more: object) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    taken: dict[str, Any] = ok(client.post(path(name), json={**ORDER, **more}, headers=headers))
    return taken


def versions(client: TestClient) -> dict[str, int]:
    shown = ok(client.get("/models"))[FAMILY]["aliases"]
    return {alias: one["version"] for alias, one in shown.items()}


def test_a_pin_shows_in_the_answer_and_in_the_metrics_until_it_is_unpinned(served: TestClient) -> None:
    gauge = f'rps_model_alias_pinned{{alias="B",model="{FAMILY}"}}'

    taken = order(served, "pin", alias="B", version="2", expires="2099-01-01T00:00:00Z")

    assert taken["event"]["type"] == "promotion.alias_pinned"
    assert (taken["event"]["version"], taken["event"]["actor"]) == (2, "ada")
    assert taken["event"]["expires_us"] == 4_070_908_800_000_000
    assert (taken["applied"], taken["repeated"], taken["dry_run"]) == (None, False, False)
    assert samples(served)[gauge] == 1
    order(served, "unpin", alias="B")
    assert samples(served)[gauge] == 0


@pytest.mark.parametrize("expires", [4_070_908_800, "4070908800", 4_070_908_800_000, "2099-01-01"])
def test_an_expiry_may_be_an_epoch_time(served: TestClient, expires: object) -> None:
    taken = order(served, "pin", alias="B", expires=expires)

    assert taken["event"]["expires_us"] == 4_070_908_800_000_000


def test_a_swap_and_its_undo_move_the_aliases_and_begin_windows(served: TestClient) -> None:
    swapped = order(served, "swap")

    assert swapped["applied"]
    assert versions(served) == {"Production": 2, "B": 1, "shadow1": 3, "shadow2": 4}
    undone = order(served, "undo")
    assert undone["event"]["undoes"] == swapped["position"] + 1
    assert versions(served) == {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4}
    assert ok(served.get(HISTORY_PATH)) == []
    assert (
        samples(served)[f'rps_model_promotion_events_total{{decision="swap_production_b",model="{FAMILY}"}}'] == 0
    )


def test_a_version_is_named_as_a_number_or_as_text(served: TestClient) -> None:
    order(served, "swap", version=3)
    assert versions(served)["Production"] == 3
    order(served, "swap", version="4")
    assert versions(served)["Production"] == 4


def test_a_dry_run_shows_what_would_be_and_writes_nothing(served: TestClient) -> None:
    order(served, "swap")
    before = state(served)

    shown = order(served, "undo", dry_run=True)

    assert (shown["position"], shown["applied"]) == (None, None)
    assert [change["after"] for change in shown["event"]["assignments"]] == [1, 2, 3, 4]
    assert shown["since"]["swap"]["actor"] == "ada"
    assert shown["since"]["moved"] == shown["since"]["trained"] == []
    assert state(served) == before


def test_the_actor_is_the_token_where_the_body_names_none(served: TestClient) -> None:
    assert order(served, "pin", alias="B", actor=None)["event"]["actor"] == "token"


def test_a_key_makes_an_order_safe_to_send_again(served: TestClient) -> None:
    first = order(served, "swap", "k1")
    before = state(served)

    again = order(served, "swap", "k1")

    assert again == {**first, "repeated": True}
    other = served.post(path("undo"), json=ORDER, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, "belongs to another order" in other.json()["detail"]) == (409, True)
    assert state(served) == before


def test_a_plan_is_cancelled_with_a_name_and_a_reason(served: TestClient, registry: FaultyRegistry) -> None:
    promotion = service_behind(served).core.promotion
    taken = served.post(path("cancel"), json=ORDER)
    assert (taken.status_code, taken.json()["detail"]) == (409, "xgboost has no open plan")

    def go_down() -> None:
        registry.down = True

    registry.at_assignment(1, go_down)
    origin = Origin(actor="bob", reason="a test")
    assert execute(promotion, SwapOrder(family=FAMILY, origin=origin)).applied is False
    refused = served.post(path("pin"), json={**ORDER, "alias": "B"})
    assert (refused.status_code, "stays open" in refused.json()["detail"]) == (409, True)
    assert served.post(path("cancel"), json=ORDER).status_code == 503
    registry.down = False

    cancelled = order(served, "cancel")

    assert cancelled["event"]["type"] == "promotion.aliases_assigned"
    assert (cancelled["event"]["actor"], cancelled["event"]["reason"]) == ("ada", "a campaign")
    assert versions(served) == {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4}


def test_an_order_while_the_registry_is_away_is_503_and_writes_nothing(
    served: TestClient, registry: FaultyRegistry
) -> None:
    registry.down = True
    before = state(served)

    refused = served.post(path("swap"), json=ORDER)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["detail"].endswith("; nothing is moved")
    assert state(served) == before
    assert events_of(served, "promotion.aliases_planned") == 0


def test_an_order_is_for_the_state_that_its_dry_run_has_shown(served: TestClient) -> None:
    shown = order(served, "swap", dry_run=True)
    assert shown["seen"]["assignment"] == {"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4}
    order(served, "swap")

    refused = served.post(path("swap"), json={**ORDER, "seen": shown["seen"]})

    assert refused.status_code == 409
    assert "meanwhile" in refused.json()["detail"]
    assert versions(served)["Production"] == 2
    again = order(served, "swap", dry_run=True)
    assert order(served, "swap", seen=again["seen"])["seen"] is None
    assert versions(served)["Production"] == 1
