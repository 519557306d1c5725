from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from gameplay.web.console import decision_list
from ledger.vocabulary import DECISIONS
from projections.read_models.history_order import SORTS
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok


def listed(site: Site, **query: object) -> Any:
    return ok(site.client.get("/decisions.json", params=query))  # type: ignore[arg-type]


def test_the_rows_are_those_of_the_history(site: Site) -> None:
    history = ok(site.client.get("/internal/promotion/history", params={"limit": 50}))

    assert listed(site)["rows"] == history


@pytest.mark.parametrize("sort", SORTS)
def test_paging_reaches_every_cycle_once_in_the_order_of_history_and_csv(site: Site, sort: str) -> None:
    found: list[int] = []
    asked = {"sort": sort, "order": "asc", "from": "2025-11-02", "rule": "ztest/1"}
    path: str | None = f"/decisions.json?limit=40&{urlencode(asked)}"
    while path:
        page = ok(site.client.get(path))
        found += [row["id"] for row in page["rows"]]
        path = page["next"] and f"/decisions.json?{page['next']}"

    whole = ok(site.client.get("/internal/promotion/history", params={"limit": 200, **asked}))
    csv = site.client.get("/decisions.csv", params=asked)
    assert len(found) > 40
    assert found == [row["id"] for row in whole]
    assert found == [int(line.partition(",")[0]) for line in csv.text.splitlines()[1:]]


def test_the_csv_is_read_in_portions_and_looks_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_list, "PORTION", 7)
    newest = listed(site)["rows"][0]["id"]

    now = site.client.get("/decisions.csv").text.splitlines()
    then = site.client.get("/decisions.csv", params={"at": newest - 1}).text.splitlines()
    first = site.client.get("/decisions.csv", params={"limit": 9})

    assert then == [now[0], *now[2:]]
    assert first.text.splitlines() == now[:10]
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert site.client.get(following).text.splitlines() == [now[0], *now[10:19]]


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
    "query", [{"decision": "x"}, {"order": "up"}, {"limit": 0}, {"rule": "x"}, {"from": "then"}, {"sort": "x"}]
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

    page.get_by_role("link", name="B ahead, points").click()
    expect(page.get_by_role("columnheader", name="B ahead, points")).to_have_attribute("aria-sort", "descending")
    expect(rows).to_have_count(len(listed(site, decision="swap_production_b")["rows"]))
    assert visit.violations() == []

    with page.expect_download() as download:
        page.get_by_role("link", name="As CSV").click()
    sorted_rows = listed(site, decision="swap_production_b", sort="difference", order="desc")["rows"]
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0].startswith("id,ts,")
    assert [line.partition(",")[0] for line in lines[1:]] == [str(row["id"]) for row in sorted_rows]


def test_the_table_scrolls_by_itself_on_a_phone(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE) as visit:
        visit.open("/decisions")

        assert visit.overflow() == 0
        assert visit.violations() == []


def test_every_decision_can_be_asked_for(site: Site) -> None:
    for decision in DECISIONS:
        listed(site, decision=decision)
