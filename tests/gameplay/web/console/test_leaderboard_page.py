from typing import Any

from starlette.testclient import TestClient

from gameplay.game import players
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site
from tests.gameplay.web.test_players import SCRIPTED, SINCE, append_games, person, record, session
from tests.gameplay.web_clients import ok, service_behind

BROWSER = {"Accept": "text/html"}
TROUBLE = "<img src=x onerror=alert(1)>"


def test_the_leaderboard_has_the_keys_that_browser_clients_read(served: TestClient) -> None:
    ada, _bea = session(served, "ada", "Ada"), session(served, "bea", "Bea")
    record(served, "ada", ["user", "user", "user", "bot", "tie"])
    record(served, "bea", ["user"] * 4)

    found = ok(served.get("/leaderboard", params={"limit": 5}))

    assert found["leaderboard"] == [
        {
            "rank": 1,
            "player_id": ada,
            "player_name": "Ada",
            "total_games": 5,
            "wins": 3,
            "losses": 1,
            "ties": 1,
            "win_rate": 0.6,
        }
    ]
    assert found["since"] == SINCE
    assert [row["username"] for row in found["streaks"]] == ["Bea", "Ada"]
    assert found == ok(served.get("/leaderboard.json", params={"limit": 5}, headers=BROWSER))


def test_a_name_is_text_and_is_gone_everywhere_once_it_is_erased(served: TestClient) -> None:
    ada = session(served, "ada", TROUBLE)
    record(served, "ada", ["user"] * 5)
    before = service_behind(served).core.ledger.head().position
    paths = ("/leaderboard", f"/leaderboard?at={before}", f"/players/{ada}")
    record(served, "ada", ["user"])

    for path in paths:
        page = served.get(path, headers=BROWSER).text
        assert TROUBLE not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert ok(served.get(path))

    players.erase(service_behind(served).core.engine, TROUBLE)
    for path in paths:
        assert "onerror" not in served.get(path, headers=BROWSER).text
        assert "onerror" not in served.get(path).text


def test_an_empty_leaderboard_says_what_to_do(shared: TestClient) -> None:
    page = shared.get("/leaderboard", headers=BROWSER).text

    assert "Nobody has finished 5 games yet" in page
    assert 'href="/play"' in page


def test_a_page_of_a_player_shows_games_by_opponent(served: TestClient) -> None:
    ada = session(served, "ada", "Ada")
    record(served, "ada", ["user", "bot"])

    found = ok(served.get(f"/players/{ada}"))

    assert found["player_name"] == "Ada"
    assert found["rounds"] == {"rounds": 2, "wins": 2, "losses": 0, "draws": 0}
    assert found["games"] == found["opponents"]["brian"]
    assert (found["games"]["win_rate"], found["games"]["streak"], found["games"]["current_streak"]) == (0.5, 1, 0)


def test_a_player_of_whom_nothing_is_counted_is_unknown(served: TestClient) -> None:
    script = session(served, "script")
    record(served, "script", ["user"], player_kind="script")

    for player_id in ("gus", script, "../secrets"):
        assert served.get(f"/players/{player_id}").status_code == 404


def test_a_person_finds_the_leaderboard_and_a_player(site: Site, visit: Any, visiting_as: Any) -> None:
    person(site.service, "ada", "Ada")
    append_games(site.service, "ada", ["user"] * 5, **SCRIPTED)

    page = visit.open("/")
    page.get_by_role("link", name="Leaderboard").click()
    page.get_by_role("heading", name="Leaderboard").wait_for()
    assert visit.violations() == []

    page.get_by_role("link", name="Ada").first.click()
    page.get_by_role("heading", name="Ada").wait_for()
    assert visit.violations() == []

    with visiting_as(viewport=PHONE) as phone:
        phone.open("/leaderboard")
        assert phone.overflow() == 0
        assert phone.violations() == []
