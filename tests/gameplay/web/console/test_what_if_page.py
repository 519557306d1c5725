from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from projections.audit.counterfactual import Change
from projections.audit.what_if import what_if
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok


def asked(site: Site, **query: object) -> Any:
    return ok(site.client.get("/what-if.json", params=query))  # type: ignore[arg-type]


def test_the_outcomes_are_the_audit_s(site: Site) -> None:
    page = asked(site, alpha="0.01", minimum_games=5)
    audit = what_if(site.service.core.ledger, Change(alpha="0.01", minimum_games=5))

    assert [one["family"] for one in page["outcomes"]] == [one.model_type for one in audit]
    for shown, found in zip(page["outcomes"], audit, strict=True):
        assert shown["differing"] == sum(cycle.differs for cycle in found.cycles)
        assert len(shown["actual"]["swaps"]) == len(found.actual_swaps)
        assert len(shown["other"]["swaps"]) == len(found.counterfactual_swaps)
        assert shown["exact_until"] == found.exact_until


def test_nothing_is_replayed_until_something_is_asked_for(site: Site) -> None:
    assert asked(site)["outcomes"] == []
    assert asked(site, alpha="", rule="")["outcomes"] == []


def test_a_look_back_ends_there(site: Site) -> None:
    then = asked(site, alpha="0.05", at=3_000, model_type="multinomial_logistic")["outcomes"]
    now = asked(site, alpha="0.05", model_type="multinomial_logistic")["outcomes"]

    assert len(then) == 1
    assert then[0]["cycles"] < now[0]["cycles"]


@pytest.mark.parametrize("query", [{"alpha": "2"}, {"rule": "x"}, {"minimum_games": "0"}, {"players": "cats"}])
def test_a_wrong_rule_is_refused(shared: TestClient, query: dict[str, str]) -> None:
    answer = shared.get("/what-if.json", params=query)

    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["detail"]


def test_a_person_asks_and_the_address_has_it_all(visit: Any, visiting_as: Any) -> None:
    page = visit.open("/what-if")
    assert visit.violations() == []
    page.get_by_label("Alpha").fill("0.01")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("heading", name="Gradient boosting")).to_be_visible()
    assert visit.violations() == []
    address = page.url.removeprefix(visit.url)
    shown = page.locator("main").inner_text()

    with visiting_as(viewport=PHONE) as other:
        there = other.open(address)
        assert other.overflow() == 0
        there.set_viewport_size({"width": 1280, "height": 800})
        assert there.locator("main").inner_text() == shown
