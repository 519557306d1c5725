from typing import Any

import msgspec
import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from gameplay.game.openings import OPENINGS
from ledger.chain import leaf, link
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, play, play_on, service_behind, start

BROWSER = {"Accept": "text/html"}


def shown(client: Any, position: int) -> Any:
    return ok(client.get(f"/events/{position}.json"))


def test_an_event_has_what_its_hash_is_made_of(site: Site) -> None:
    event = shown(site.client, 4711)
    entry = site.service.core.ledger.read(4710, limit=1)[0]

    columns = (event["position"], event["event_id"], event["stream"], event["version"], event["type"])
    made = leaf(*columns, event["schema_version"], entry.recorded_us, entry.payload)
    assert event["chain_hash"] == link(bytes.fromhex(event["previous_hash"]), made).hex()
    assert event["before"]["position"] + 1 == event["position"] == event["after"]["position"] - 1
    assert event["sealed_at"] >= 4711


def test_the_first_and_the_last_event_have_one_neighbour(served: TestClient) -> None:
    head = service_behind(served).core.ledger.head()

    first, last = shown(served, 1), shown(served, head.position)

    assert (first["before"], first["previous_hash"]) == (None, "00" * 32)
    assert (last["after"], last["chain_hash"]) == (None, head.chain_hash.hex())
    assert last["sealed_at"] is None


def test_an_event_of_a_game_that_goes_on_is_shown_without_what_it_gives_away(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    for _ in range(4):
        play(served, game_id)
    game = ok(served.get(f"/games/{game_id}.json"))

    started = shown(served, game["started_position"])
    predicted = shown(served, game["last_position"])
    page = served.get(f"/events/{game['last_position']}", headers=BROWSER).text

    assert started["withheld"] == ["bot_seed", "opening"]
    assert not started["payload"].keys() & set(started["withheld"])
    assert (started["chain_hash"], started["previous_hash"]) == (None, None)
    assert predicted["withheld"] == ["correct", "predicted", "probabilities"]
    assert " said " not in predicted["summary"] + predicted["before"]["summary"] + page

    play_on(served, game_id)
    assert shown(served, game["started_position"])["payload"]["opening"]


def test_no_guess_of_an_opening_has_the_hash_that_the_next_event_shows(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    play(served, game_id)
    position = ok(served.get(f"/games/{game_id}.json"))["started_position"]
    entry = service_behind(served).core.ledger.read(position - 1, limit=1)[0]
    before, event, after = (shown(served, position + step) for step in (-1, 0, 1))

    def hash_of(**withheld: object) -> str:
        payload = msgspec.json.encode(msgspec.json.decode(entry.payload) | withheld)
        columns = (event["position"], event["event_id"], event["stream"], event["version"], event["type"])
        made = leaf(*columns, event["schema_version"], entry.recorded_us, payload)
        return link(bytes.fromhex(before["chain_hash"]), made).hex()

    assert hash_of() == after["previous_hash"]
    assert after["previous_hash"] not in {hash_of(opening=name, bot_seed=None) for name in OPENINGS}


@pytest.mark.parametrize("position", ["0", "999999", "-1", "1.5", "first"])
def test_a_position_that_does_not_exist_is_404(shared: TestClient, position: str) -> None:
    assert shared.get(f"/events/{position}.json").status_code == 404


def test_an_event_s_page_has_no_violation(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE) as visit:
        page = visit.open("/events/4711")

        assert visit.violations() == []
        assert visit.overflow() == 0
        page.get_by_role("link", name="4,712").first.click()
        expect(page.get_by_role("heading", name="Event 4,712")).to_be_visible()
