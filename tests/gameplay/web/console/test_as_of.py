from typing import Any

from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from ledger.times import show_time
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, service_behind, start, wait_until


def test_a_page_looks_at_the_head_when_nothing_is_asked_for(shared: TestClient) -> None:
    as_of = ok(shared.get("/overview.json"))["as_of"]

    assert as_of["position"] == as_of["head"] == service_behind(shared).core.ledger.head().position
    assert as_of["is_past"] is False


def test_a_page_looks_back_to_a_position_or_a_time(served: TestClient) -> None:
    before = service_behind(served).core.ledger.head()
    start(served)

    by_position = ok(served.get("/overview.json", params={"at": before.position}))
    by_time = ok(served.get("/overview.json", params={"at": show_time(before.recorded_us)}))
    now = ok(served.get("/overview.json"))

    assert by_position["as_of"]["is_past"] is True
    assert by_position["as_of"]["position"] == by_time["as_of"]["position"] == before.position
    assert (by_position["active_games"], now["active_games"]) == (0, 1)


def test_a_position_that_does_not_exist_is_refused_and_says_which_do(shared: TestClient) -> None:
    for text in ("0", "999999", "yesterday", "1960-01-01"):
        answer = shared.get("/overview.json", params={"at": text})

        assert answer.status_code == 400
        assert f"at='{text}'" in answer.json()["detail"]


def opened(visit: Any, path: str) -> Page:
    """The page at the head, live, with its slider open."""
    page: Page = visit.open(path)
    expect(page.locator("body.is-live")).to_have_count(1)
    page.locator("details.slider > summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Position", exact=True)).to_be_visible()
    return page


def expect_past(site: Site, page: Page, position: int) -> None:
    """The banner is there, and no tab of the browser watches the head any more."""
    expect(page.get_by_role("note")).to_contain_text(f"You look at the past: position {position:,} of")
    expect(page.locator("body.is-live")).to_have_count(0)
    wait_until(lambda: site.server.lifespan.state["live"].watchers == 0)


def test_the_slider_looks_back_by_keys_and_goes_on_enter(site: Site, visit: Any) -> None:
    page = opened(visit, "/decisions")
    slider = page.get_by_label("Position", exact=True)

    slider.focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    position = int(slider.input_value())
    head = site.service.core.ledger.head().position
    assert 0 < position < head * 0.95
    expect(page.locator("output[for='at-position']")).to_have_text(f"{position:,}")
    page.keyboard.press("Enter")

    expect_past(site, page, position)
    rows = ok(site.client.get("/decisions.json", params={"at": position}))["rows"]
    expect(page.locator("#decisions tbody a").first).to_have_attribute(
        "href", f"/decisions/{rows[0]['id']}?at={position}"
    )
    slider.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("body.is-live")).to_have_count(1)


def test_the_slider_looks_back_where_the_mouse_lets_it_go(site: Site, visit: Any) -> None:
    page = opened(visit, "/")
    box = page.get_by_label("Position", exact=True).bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2

    page.mouse.move(box["x"] + box["width"] - 8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=4)
    expect(page.locator("output[for='at-position']")).not_to_have_text(
        f"{site.service.core.ledger.head().position:,}"
    )
    page.mouse.up()

    expect(page.get_by_role("note")).to_be_visible()
    expect_past(site, page, int(page.get_by_label("Position", exact=True).input_value()))


def test_a_date_looks_back_to_the_last_event_before_it(site: Site, visit: Any) -> None:
    page = opened(visit, "/")
    as_of = ok(site.client.get("/overview.json", params={"at": "2025-11-05T12:00:00Z"}))["as_of"]

    page.get_by_label("Time").fill("2025-11-05T12:00:00")
    page.keyboard.press("Enter")

    expect_past(site, page, as_of["position"])
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator("body.is-live")).to_have_count(1)
