from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from ledger.vocabulary import DECISIONS
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok


def listed(site: Site, **query: object) -> Any:
    return ok(site.client.get("/decisions.json", params=query))  # type: ignore[arg-type]


def test_the_rows_are_those_of_the_history(site: Site) -> None:
    history = ok(site.client.get("/internal/promotion/history", params={"limit": 50}))

    assert listed(site)["rows"] == history


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_paging_reaches_every_cycle_once(site: Site, order: str) -> None:
    found: list[int] = []
    path: str | None = f"/decisions.json?limit=20&order={order}"
    while path:
        page = ok(site.client.get(path))
        found += [row["id"] for row in page["rows"]]
        path = page["next"] and f"/decisions.json?{page['next']}"

    whole = ok(site.client.get("/internal/promotion/history", params={"limit": 200, "order": order}))
    assert found == [row["id"] for row in whole]


def test_a_filter_narrows_by_family_decision_rule_and_time(site: Site) -> None:
    swaps = listed(site, model_type="xgboost", decision="swap_production_b")["rows"]
    assert {(row["model_type"], row["decision"]) for row in swaps} == {("xgboost", "swap_production_b")}

    reported = [row for row in listed(site, limit=200)["rows"] if row["rule"] is None]
    by_rule = listed(site, limit=200, rule="ztest/1")["rows"]
    assert reported
    assert not {row["id"] for row in reported} & {row["id"] for row in by_rule}

    before = listed(site, to="2025-11-05")["rows"]
    assert before
    assert all(row["ts"] < "2025-11-05" for row in before)


def test_the_table_looks_back(site: Site) -> None:
    newest = listed(site)["rows"][0]["id"]

    assert listed(site, at=newest - 1)["rows"][0]["id"] < newest


@pytest.mark.parametrize(
    "query", [{"decision": "x"}, {"order": "up"}, {"limit": 0}, {"rule": "x"}, {"from": "then"}]
)
def test_a_wrong_filter_is_refused(shared: TestClient, query: dict[str, Any]) -> None:
    assert shared.get("/decisions.json", params=query).status_code == 400


def test_an_empty_table_says_what_to_do(shared: TestClient) -> None:
    page = shared.get("/decisions", headers={"Accept": "text/html"}).text

    assert "rps promotion cycle" in page


def test_a_person_filters_pages_and_takes_the_table_along(site: Site, visit: Any) -> None:
    page = visit.open("/decisions")
    assert visit.violations() == []
    expect(page.locator("#decisions tbody tr")).to_have_count(50)

    page.get_by_label("Decision", exact=True).select_option("swap_production_b")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("#decisions tbody tr")
    expect(rows).to_have_count(len(listed(site, decision="swap_production_b")["rows"]))

    with page.expect_download() as download:
        page.get_by_role("link", name="As CSV").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0].startswith("id,ts,")
    assert len(lines) == 1 + rows.count()


def test_the_table_scrolls_by_itself_on_a_phone(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE) as visit:
        visit.open("/decisions")

        assert visit.overflow() == 0
        assert visit.violations() == []


def test_every_decision_can_be_asked_for(site: Site) -> None:
    for decision in DECISIONS:
        listed(site, decision=decision)
