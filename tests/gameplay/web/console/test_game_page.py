from typing import Any

from starlette.testclient import TestClient

from gameplay.web.console.withheld import WITHHELD
from ledger.codec import Codec
from ledger.events import GameStarted
from ledger.streams import game_stream
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, play, play_on, service_behind, start

BROWSER = {"Accept": "text/html"}
RUNNABLE = "<img src=x onerror=alert(1)>"


def shown(client: TestClient, game_id: str, **query: object) -> Any:
    return ok(client.get(f"/games/{game_id}.json", params=query))  # type: ignore[arg-type]


def opening_of(client: TestClient, game_id: str) -> str:
    entry = service_behind(client).core.ledger.read_stream(game_stream(game_id))[0]
    started = Codec().decode(entry.type, entry.schema_version, entry.payload)
    assert isinstance(started, GameStarted)
    assert started.opening
    return started.opening


def test_a_game_that_goes_on_shows_its_rounds_and_nothing_that_tells_the_bot_s_moves(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    for _ in range(4):
        play(served, game_id)

    game = shown(served, game_id)
    page = served.get(f"/games/{game_id}", headers=BROWSER).text

    assert (game["status"], len(game["rounds"])) == ("open", 4)
    assert (game["opening"], game["bot_seed"], game["predictors"]) == (None, None, [])
    assert [one["expected"] for one in game["rounds"]] == [[], [], [], []]
    assert opening_of(served, game_id) not in page
    assert "Predicted" not in page


def test_a_game_that_has_ended_shows_what_each_alias_had_expected(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    last = play_on(served, game_id)

    game = shown(served, game_id)

    assert (game["status"], game["winner"]) == ("finished", last["winner"])
    assert (game["user_score"], game["bot_score"]) == (last["user_score"], last["bot_score"])
    assert game["opening"] == opening_of(served, game_id)
    assert [one["alias"] for one in game["predictors"]] == ["Production", "B", "shadow1", "shadow2"]
    fourth = game["rounds"][3]
    assert [one["served"] for one in fourth["expected"]].count(True) == 1
    assert all(one["correct"]["tries"] == len(game["rounds"]) - 3 for one in game["predictors"])


def test_a_game_looks_back_to_the_rounds_of_then(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    play(served, game_id)
    position = service_behind(served).core.ledger.head().position
    play_on(served, game_id)

    then = shown(served, game_id, at=position)

    assert (then["status"], len(then["rounds"])) == ("open", 1)
    assert served.get(f"/games/{game_id}.json", params={"at": 1}).status_code == 404


def test_a_game_that_does_not_exist_is_404(shared: TestClient) -> None:
    for path in ("/games/nothing", "/games/nothing.json"):
        assert shared.get(path).status_code == 404


def test_a_player_s_name_is_text_and_is_gone_when_it_is_erased(served: TestClient) -> None:
    game_id = start(served, player_name=RUNNABLE, session_id="a-session")["game_id"]

    page = served.get(f"/games/{game_id}", headers=BROWSER).text
    named = shown(served, game_id)["player_name"]
    erased = ok(served.post("/erase_name", json={"session_id": "a-session"}))
    again = ok(served.post("/erase_name", json={"session_id": "a-session"}))

    assert named == RUNNABLE
    assert "&lt;img" in page
    assert "<img" not in page
    assert (erased["erased"], again["erased"]) == (True, False)
    assert shown(served, game_id)["player_name"] is None


def test_withheld_fields_are_fields() -> None:
    assert WITHHELD["game.started"] <= set(GameStarted.__struct_fields__)


def test_a_game_s_page_has_no_violation(site: Site, visiting_as: Any) -> None:
    entries = site.service.core.ledger.read(limit=100)
    game_id = next(one.stream for one in entries if one.type == "game.started").removeprefix("game-")
    with visiting_as(viewport=PHONE) as visit:
        visit.open(f"/games/{game_id}")

        assert visit.violations() == []
        assert visit.overflow() == 0
