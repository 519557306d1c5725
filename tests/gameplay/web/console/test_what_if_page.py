from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from projections.audit import what_if as counterfactual
from projections.audit.counterfactual import Change
from projections.audit.what_if import what_if
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok
from tests.patience import PATIENCE_SECONDS


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


def test_the_page_says_that_it_works_while_the_answer_is_computed(visit: Any) -> None:
    page = visit.open("/what-if")
    # Locators wait for a navigation that has begun, so this one does not begin.
    page.locator("form[data-replay]").evaluate(
        "form => form.addEventListener('submit', event => event.preventDefault())"
    )

    page.get_by_role("button", name="Replay").click()

    expect(page.get_by_role("status").filter(has_text="Replaying")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Replaying")).to_be_visible()
    expect(page.get_by_role("button", name="Replay")).to_be_disabled()
    assert visit.violations() == []
    page.evaluate("dispatchEvent(new Event('pageshow'))")  # as when a reader comes back to it
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_role("button", name="Replay")).to_be_enabled()


def test_a_replay_beside_another_one_is_refused_for_the_moment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_end = Event(), Event()

    def slow(*args: Any, **options: Any) -> Any:
        has_begun.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return what_if(*args, **options)

    monkeypatch.setattr(counterfactual, "what_if", slow)
    query = {"alpha": "0.01", "model_type": "xgboost"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asked, site, **query)
        try:
            assert has_begun.wait(PATIENCE_SECONDS)
            second = site.client.get("/what-if", params=query, headers={"Accept": "text/html"})
        finally:
            may_end.set()
        assert len(first.result()["outcomes"]) == 1

    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert "another recount is under way" in second.text


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
