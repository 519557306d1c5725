from typing import Any

import pytest
from starlette.testclient import TestClient

from ledger.vocabulary import FAMILIES
from tests.builders import aliases_assigned, assignments, cycle_decided
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, play_on, service_behind, start

BROWSER = {"Accept": "text/html"}


def overview(client: TestClient) -> Any:
    return ok(client.get("/overview.json"))


def test_a_family_says_who_is_production_since_when_and_why(served: TestClient) -> None:
    before = overview(served)["families"][0]
    assert (before["production"]["version"], before["production"]["cause"]) == (1, "bootstrap")

    ledger = service_behind(served).core.ledger
    stream, version = "promotion-feedforward_nn", ledger.version("promotion-feedforward_nn")
    swap = aliases_assigned(
        cause="report", cycle=1, assignments=assignments((1, 2, 3, 4), (2, 1, 3, 4)), swapped=True
    )
    landed = ledger.append(stream, [cycle_decided(), swap], version)

    after = overview(served)
    family = after["families"][0]
    assert family["production"]["version"] == 2
    assert family["production"]["decided"]["position"] == landed.first_position
    assert family["production"]["decided"]["reason"] == cycle_decided().reason
    assert (family["swaps"], family["games_since_swap"]) == (1, 0)
    line = after["timeline"][0]
    assert (line["kind"], line["decided_position"]) == ("swap", landed.first_position)


def test_a_family_says_how_far_the_next_swap_is(served: TestClient) -> None:
    criterion = overview(served)["families"][1]["criterion"]
    assert (criterion["rule"], criterion["line"]) == ("ztest/1", 0.2)
    assert criterion["production_games_missing"] == criterion["b_games_missing"] == 3

    play_on(served, start(served, "forrest")["game_id"])

    family = overview(served)["families"][1]
    missing = family["criterion"]["production_games_missing"] + family["criterion"]["b_games_missing"]
    assert missing == 5
    assert family["games_since_swap"] == 1


def test_the_vitals_follow_the_games(served: TestClient) -> None:
    start(served)
    play_on(served, start(served)["game_id"])

    now = overview(served)

    assert now["active_games"] == 1
    assert now["games"] == 1
    assert now["rounds_a_minute"] > 0
    assert now["health"] == {"ready": True, "reasons": []}


def test_every_family_and_the_empty_timeline_have_a_place_on_the_page(shared: TestClient) -> None:
    page = shared.get("/", headers=BROWSER).text

    assert all(f"/families/{family}" in page for family in FAMILIES)


def test_a_person_sees_production_at_once(site: Site, visit: Any) -> None:
    page = visit.open("/")

    for family in ok(site.client.get("/overview.json"))["families"]:
        card = (
            page.get_by_role("article")
            .filter(has=page.get_by_role("link", name=None))
            .filter(has_text=family["family"])
        )
        assert card.get_by_role("heading", name=f"Production v{family['production']['version']}").is_visible()
    assert visit.violations() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_overview_fits_a_phone_by_day_and_by_night(visiting_as: Any, scheme: str) -> None:
    with visiting_as(viewport=PHONE, color_scheme=scheme) as visit:
        visit.open("/")

        assert visit.overflow() == 0
        assert visit.violations() == []
