import re
from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from ledger.vocabulary import FAMILIES
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, play_on, start

FAMILY = "multinomial_logistic"


def shown(client: Any, family: str = FAMILY, **query: object) -> Any:
    return ok(client.get(f"/families/{family}.json", params=query))


def test_the_cycles_are_the_history_s_oldest_first(site: Site) -> None:
    rows = ok(site.client.get("/internal/promotion/history", params={"limit": 200, "model_type": FAMILY}))
    cycles = shown(site.client)["cycles"]

    assert [one["position"] for one in cycles] == [row["id"] for row in reversed(rows)]
    assert [one["p_value"] for one in cycles] == [row["p_value"] for row in reversed(rows)]
    assert [one["production"]["share"] for one in cycles] == [row["production_win_rate"] for row in reversed(rows)]
    for one in cycles:
        if one["production_version"]:
            assert one["by_version"].keys() == {str(one["production_version"]), str(one["b_version"])}
    assert any(one["ranks"] and one["accuracies"] for one in cycles)
    assert all(one["trained"].keys() == one["accuracies"].keys() for one in cycles)
    assert any(accuracy is not None for one in cycles for accuracy in one["trained"].values())
    assert [one["position"] for one in shown(site.client, cycles=3)["cycles"]] == [
        row["id"] for row in rows[2::-1]
    ]


def test_a_version_s_live_record_stands_beside_its_training(served: TestClient) -> None:
    play_on(served, start(served, "logan")["game_id"])

    page = shown(served)

    by_version = {one["version"]: one for one in page["versions"]}
    assert by_version[1]["aliases"] == ["Production"]
    assert by_version[1]["predictions"]["tries"] > 0
    assert by_version[1]["holdout_accuracy"] == 0.31
    (people,) = [one for one in page["by_player"] if one["player_kind"] == "human"]
    assert people["production"]["tries"] + people["b"]["tries"] == 1


def test_live_accuracy_and_wins_stand_beside_training_by_opponent(served: TestClient) -> None:
    play_on(served, start(served, "logan", player_name="Cal")["game_id"])
    play_on(served, start(served, "logan")["game_id"])

    page = shown(served)

    cal, people = sorted(page["by_opponent"], key=lambda one: str(one["player"]))
    assert (cal["player"], people["player"]) == ("cal", "human")
    assert sum(one["wins"]["tries"] for one in cal["versions"]) == 1
    assert all(one["predictions"]["tries"] > 0 for one in cal["versions"])
    first = next(one for one in people["versions"] if one["version"] == 1)
    assert (first["aliases"], first["holdout_accuracy"]) == (["Production"], 0.31)
    html = served.get(f"/families/{FAMILY}", headers={"Accept": "text/html"}).text
    assert 'rowspan="4">cal</th>' in html


def test_a_family_looks_back(site: Site) -> None:
    cycles = shown(site.client)["cycles"]
    then = shown(site.client, at=cycles[4]["position"])

    assert [one["position"] for one in then["cycles"]] == [one["position"] for one in cycles[:5]]


@pytest.mark.parametrize("path", ["/families/nobody.json", "/families/xgboost.json?cycles=0"])
def test_what_does_not_exist_is_refused_by_name(shared: TestClient, path: str) -> None:
    answer = shared.get(path)

    assert 400 <= answer.status_code < 500
    assert "xgboost" in answer.json()["detail"] or "cycles" in answer.json()["detail"]


def test_every_family_without_cycles_says_what_to_do(shared: TestClient) -> None:
    for family in FAMILIES:
        page = shared.get(f"/families/{family}", headers={"Accept": "text/html"}).text
        assert f"--model-type {family}" in page


def test_charts_are_drawn_and_a_swap_s_mark_leads_to_its_decision(visit: Any) -> None:
    page = visit.open(f"/families/{FAMILY}")

    expect(page.locator("#charts canvas")).to_have_count(7)
    assert visit.violations() == []
    mark = page.locator("[data-chart='rates'] a.mark").last
    mark.click()
    expect(page.get_by_role("heading", name=re.compile("Production and B swapped"))).to_be_visible()


def test_the_page_fits_a_phone_at_night(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE, color_scheme="dark") as visit:
        page = visit.open(f"/families/{FAMILY}")
        expect(page.locator("#charts canvas")).to_have_count(7)

        assert visit.overflow() == 0
        assert visit.violations() == []
