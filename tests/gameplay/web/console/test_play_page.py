import re
from typing import Any

from playwright.sync_api import Page, Route, expect
from starlette.testclient import TestClient

from gameplay.web.console.play_page import CHARACTERS
from ledger.vocabulary import BOTS, MOVES
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.sites import Site

ROUNDS_MAX = 40
RUNNABLE = "<img src=x onerror=alert(1)>"


def begin(page: Page, opponent: str) -> None:
    page.get_by_role("radio", name=opponent).check()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Your move.")).to_be_visible()
    expect(page.locator("#moves button").first).to_contain_text(re.compile(r"\d\.\d points"))


def wait_for_round(page: Page, round_no: int) -> bool:
    """Wait for the answer to the round before; whether there is another."""
    expect(page.locator(f"#rounds [data-round='{round_no - 1}']")).to_be_visible()
    expect(page.locator("#moves:not([aria-busy='true'])")).to_have_count(1)
    return not page.locator("#again").is_visible()


def test_the_page_is_html_whatever_is_accepted(shared: TestClient) -> None:
    for accept in ("text/html", "application/json", "*/*"):
        answer = shared.get("/play", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("text/html")


def test_every_bot_has_a_character() -> None:
    assert CHARACTERS.keys() == set(BOTS)


def test_a_whole_game_is_played_by_mouse(site: Site, visit: Any) -> None:
    page = visit.open("/play")
    begin(page, "brian")

    for round_no in range(1, ROUNDS_MAX):
        page.get_by_role("button", name=re.compile(MOVES[round_no % 3], re.IGNORECASE)).click()
        if not wait_for_round(page, round_no + 1):
            break

    expect(page.get_by_role("heading", name="What the models had expected")).to_be_visible()
    expect(page.locator("#predictors tr")).to_have_count(4)
    assert visit.violations() == []
    page.get_by_role("link", name="The whole game").click()
    expect(page.get_by_role("heading", name="Game against brian")).to_be_visible()
    game = site.client.get(f"{page.url.removeprefix(site.url)}.json").json()
    assert (game["status"], len(game["rounds"])) == ("finished", round_no)


def test_a_whole_game_is_played_by_keys_on_a_phone(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE, has_touch=True) as visit:
        page = visit.open("/play")
        page.get_by_label("Your name").fill(RUNNABLE)
        page.keyboard.press("Enter")
        expect(page.locator("#moves button").first).to_contain_text(re.compile(r"\d\.\d points"))
        assert visit.violations() == []

        for round_no in range(1, ROUNDS_MAX):
            page.keyboard.press("rps"[round_no % 3])
            if not wait_for_round(page, round_no + 1):
                break

        expect(page.get_by_role("button", name="Play again")).to_be_focused()
        assert visit.overflow() == 0
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Erase my name").click()
        expect(page.get_by_text("Your name is erased.")).to_be_attached()
        expect(page.get_by_label("Your name")).to_have_value("")


def test_a_lost_answer_is_asked_for_again_and_the_round_is_played_once(site: Site, visiting_as: Any) -> None:
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().text())  # the service has played it, and its answer is lost on the way
            route.fulfill(status=502, body="lost")
        else:
            route.continue_()

    with visiting_as() as visit:
        page = visit.open("/play")
        begin(page, "forrest")
        page.route("**/play", lose_the_first)
        page.keyboard.press("p")

        expect(page.locator("#rounds [data-round='1']")).to_be_visible()
        expect(page.locator("#rounds tr")).to_have_count(1)
        expect(page.locator("#round")).to_have_text("2")
        game_id = page.evaluate("sessionStorage.getItem('rps-game')")
        assert lost
        assert len(site.client.get(f"/games/{game_id}.json").json()["rounds"]) == 1
        visit.problems.clear()  # the browser reports the answer that was lost


def test_a_reload_goes_on_with_the_game(visit: Any) -> None:
    page = visit.open("/play")
    begin(page, "logan")
    page.keyboard.press("r")
    wait_for_round(page, 2)

    page.reload()

    expect(page.locator("#rounds [data-round='1']")).to_be_visible()
    expect(page.locator("#round")).to_have_text("2")
