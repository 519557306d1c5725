import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from gameplay.config import Settings
from ledger.events import Event
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES, Family
from tests.builders import aliases_planned, cycle_decided
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.web.console.browsers import PHONE, Visit, visiting
from tests.gameplay.web.console.conftest import within
from tests.gameplay.web.sites import Site, running_site
from tests.gameplay.web_clients import ok, service_behind

TOKEN = "hunter2-of-the-tab"
FAMILY: Family = "xgboost"
ORDER = {"model_type": FAMILY, "reason": "a campaign <b>", "actor": "ada"}


def family(client: Any, **query: str) -> dict[str, Any]:
    (found,) = [
        one for one in ok(client.get("/operator.json", params=query))["families"] if one["family"] == FAMILY
    ]
    return dict(found)


def order(client: TestClient, name: str, **more: object) -> None:
    ok(client.post(f"/internal/promotion/{name}", json={**ORDER, **more}))


def test_the_page_has_every_family_s_aliases_pins_and_what_can_be_undone(served: TestClient) -> None:
    before = service_behind(served).core.ledger.head().position
    order(served, "pin", alias="B", expires="2099-01-01")
    order(served, "swap", version=3)

    found = family(served)

    assert [one["family"] for one in ok(served.get("/operator.json"))["families"]] == list(FAMILIES)
    assert {row["alias"]: row["version"] for row in found["aliases"]} == {
        "Production": 3,
        "B": 2,
        "shadow1": 1,
        "shadow2": 4,
    }
    pins = {row["alias"]: row["pin"] for row in found["aliases"] if row["pin"]}
    assert pins["B"]["version"] == 2
    assert (pins["B"]["actor"], pins["B"]["reason"]) == ("ada", "a campaign <b>")
    assert pins["B"]["expires"].startswith("2099-01-01T00:00:00")
    assert found["last_swap"]["before"]["Production"] == 1
    assert found["plan"] is None
    assert family(served, at=str(before))["last_swap"] is None


def test_a_reason_is_text_and_the_past_takes_no_orders(served: TestClient) -> None:
    before = service_behind(served).core.ledger.head().position
    order(served, "pin", alias="B")
    browser = {"Accept": "text/html"}

    now = served.get("/operator", headers=browser).text
    past = served.get("/operator", params={"at": str(before)}, headers=browser).text

    assert "a campaign &lt;b&gt;" in now
    assert 'id="order"' in now
    assert 'id="order"' not in past
    assert "static/operator.js" not in past


@pytest.fixture(scope="module")
def guarded(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service with a token."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("guarded") / "data")
    settings = Settings(data_dir=folder, promotion_schedule=None, internal_token=TOKEN)
    with running_site(settings, registry_with_versions()) as site:
        yield site


@pytest.fixture
def tab(thread: Any, browser: Any, guarded: Site) -> Iterator[Visit]:
    with within(thread, partial(visiting, browser, guarded.url)) as visit:
        yield visit


def aliases_of(guarded: Site, asked: Family) -> dict[str, int]:
    return guarded.service.core.promotion.state(asked).promotion.aliases


def fill(page: Page, what: str, reason: str, token: str = TOKEN, family: Family = FAMILY, **fields: str) -> None:
    page.get_by_label("Family").select_option(family)
    page.get_by_label("Order", exact=True).select_option(what)
    for label, value in fields.items():
        page.get_by_label(label).select_option(value)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Reason").fill(reason)
    page.get_by_label("Token").fill(token)


def test_an_operator_pins_swaps_and_undoes_each_after_a_preview(guarded: Site, tab: Visit) -> None:
    page = tab.open("/operator")
    assert tab.violations() == []
    shown, done = page.locator("#shown"), page.locator("#done")

    fill(page, "pin", "a campaign", Alias="shadow1")
    page.get_by_role("button", name="Show what it moves").click()
    expect(shown).to_contain_text("shadow1 stays at v3 until it is unpinned")
    assert tab.violations() == []
    assert not family(guarded.client)["aliases"][2]["pin"]
    page.get_by_role("button", name="Carry it out").click()
    expect(done).to_contain_text("Done: position")
    expect(page.locator(f"[data-family={FAMILY}]")).to_contain_text("pinned at v3")

    fill(page, "swap", "a better one", With="2")
    page.get_by_role("button", name="Show what it moves").click()
    expect(shown).to_contain_text("Production v1 \u2192 v2")
    page.get_by_role("button", name="Carry it out").click()
    expect(done).to_contain_text("Done: position")
    assert family(guarded.client)["aliases"][0]["version"] == 2

    fill(page, "undo", "too early")
    page.keyboard.press("Enter")  # in the token's field
    page.get_by_role("button", name="Carry it out").focus()
    page.keyboard.press("Enter")
    expect(done).to_contain_text("Done: position")
    assert family(guarded.client)["aliases"][0]["version"] == 1

    assert page.context.cookies() == []
    assert page.evaluate("Object.values(localStorage).join()") == ""
    assert page.evaluate("sessionStorage.getItem('rps-token')") == TOKEN


def test_what_is_refused_is_said_and_nothing_is_done(guarded: Site, tab: Visit) -> None:
    page = tab.open("/operator")
    head = guarded.service.core.ledger.head()
    fill(page, "swap", "a guess", token="guess", With="3")

    page.get_by_role("button", name="Show what it moves").click()

    expect(page.get_by_role("alert")).to_contain_text("RPS_INTERNAL_TOKEN")
    expect(page.locator("#shown")).to_be_hidden()
    assert guarded.service.core.ledger.head() == head
    tab.problems.clear()  # the browser logs each 401


def test_an_order_that_was_overtaken_after_its_preview_is_refused(guarded: Site, tab: Visit) -> None:
    page = tab.open("/operator")
    fill(page, "swap", "as it stands", With="2")
    page.get_by_role("button", name="Show what it moves").click()
    expect(page.locator("#shown")).to_be_visible()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    ok(guarded.client.post("/internal/promotion/swap", json=ORDER, headers=headers))

    page.get_by_role("button", name="Carry it out").click()

    expect(page.get_by_role("alert")).to_contain_text("meanwhile")
    assert family(guarded.client)["aliases"][0]["version"] == 2
    ok(guarded.client.post("/internal/promotion/undo", json=ORDER, headers=headers))
    tab.problems.clear()  # the browser logs the 409


def wait_for_approval(guarded: Site, family: Family) -> None:
    """A cycle swaps Production and B of a family, and its plan waits."""
    ledger = guarded.service.core.ledger
    stream = promotion_stream(family)
    events: list[Event] = [
        cycle_decided(model_type=family),
        aliases_planned(model_type=family, approve_by_us=ledger.now_us() + 3_600_000_000),
    ]
    ledger.append(stream, events, ledger.version(stream))


@pytest.mark.parametrize(
    ("answer", "said", "production"),
    [("approve", "Production v1 \u2192 v2", 2), ("reject", "Its aliases stay as they are", 1)],
)
def test_an_operator_answers_a_swap_that_waits_after_it_was_seen_live(
    guarded: Site, tab: Visit, answer: str, said: str, production: int
) -> None:
    asked: Family = "feedforward_nn" if answer == "approve" else "multinomial_logistic"
    page = tab.open("/operator")
    card = page.locator(f"[data-family={asked}]")
    choice = page.get_by_label("Order", exact=True).locator(f"option[value={answer}]")
    page.get_by_label("Family").select_option(asked)
    expect(choice).to_be_disabled()
    expect(page.locator("body.is-live")).to_have_count(1)

    wait_for_approval(guarded, asked)
    expect(card).to_contain_text("Waits for your approval: Production v1 \u2192 v2, B v2 \u2192 v1")
    expect(choice).to_be_enabled()
    fill(page, answer, "looked at it", family=asked)
    page.get_by_role("button", name="Show what it moves").click()
    expect(page.locator("#shown")).to_contain_text(said)
    assert aliases_of(guarded, asked)["Production"] == 1
    page.get_by_role("button", name="Carry it out").click()

    expect(page.locator("#done")).to_contain_text("Done: position")
    expect(card).not_to_contain_text("Waits for")
    assert aliases_of(guarded, asked)["Production"] == production


def test_the_operator_s_page_fits_a_phone(visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE) as phone:
        phone.open("/operator")
        assert phone.overflow() == 0
        assert phone.violations() == []


def test_long_names_and_reasons_break_on_the_narrowest_screen(guarded: Site, browser: Browser) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    long = {"model_type": FAMILY, "alias": "shadow2", "reason": "r" * 300, "actor": "a" * 120}
    position = ok(guarded.client.post("/internal/promotion/pin", json=long, headers=headers))["position"]

    with visiting(browser, guarded.url, viewport={"width": 320, "height": 640}) as narrow:
        for path in ("/", "/operator", f"/families/{FAMILY}", f"/events/{position}", "/nothing"):
            narrow.open(path)
            assert narrow.overflow() == 0, path
        assert narrow.violations() == []
        narrow.problems.clear()  # the browser logs the 404
