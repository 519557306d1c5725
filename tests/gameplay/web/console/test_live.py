import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import expect
from starlette.testclient import TestClient

from gameplay.config import Settings
from ledger.events import AliasChange, Event
from tests.builders import aliases_assigned, cycle_decided, report
from tests.gameplay.web.console.told import agreeing_registry
from tests.gameplay.web.sites import ENDLESS_SECONDS, Site, running_site
from tests.gameplay.web_clients import wait_until
from tests.patience import PATIENCE_SECONDS


def swap(site: Site) -> None:
    """Exchange Production and B of a family, as an outside automation reports it."""
    core = site.service.core
    ledger, family = core.ledger, "xgboost"
    aliases = core.promotion.state("xgboost").promotion.aliases
    exchanged = {**aliases, "Production": aliases["B"], "B": aliases["Production"]}
    changes: Any = [AliasChange(alias=a, before=aliases[a], after=exchanged[a]) for a in aliases]  # type: ignore[arg-type]
    cycle = core.promotion.state("xgboost").promotion.cycle + 1
    events: list[Event] = [
        cycle_decided(
            model_type=family,
            cycle=cycle,
            trigger="report",
            rule=None,
            evidence=None,
            statistics=None,
            verdicts=(),
            watched=None,
            reason_code="reported",
            report=report(),
        ),
        aliases_assigned(model_type=family, cause="report", cycle=cycle, assignments=tuple(changes), swapped=True),
    ]
    ledger.append(f"promotion-{family}", events, ledger.version(f"promotion-{family}"))


def test_once_is_the_news_of_now(shared: TestClient) -> None:
    answer = shared.get("/live", params={"once": 1})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert re.fullmatch(r"id: \d+\nevent: head\ndata: \{.*\}\n\n", answer.text)
    assert shared.head("/live").status_code == 200


def test_a_stream_says_what_is_new(site: Site) -> None:
    with site.client.stream("GET", "/live") as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("id: "))
        site.client.post("/start_game", json={"policy": "gus"})
        second = next(line for line in lines if line.startswith("id: "))

    assert int(second.removeprefix("id: ")) > int(first.removeprefix("id: "))


def test_a_swap_is_seen_without_a_reload(site: Site, visit: Any) -> None:
    page = visit.open("/")
    card = page.get_by_role("article").filter(has_text="xgboost")
    before = card.get_by_role("heading", name=re.compile("Production")).inner_text()
    expect(page.locator("body.is-live")).to_have_count(1)
    page.evaluate("window.stillTheSamePage = true")

    swap(site)

    heading = card.get_by_role("heading", name=re.compile("Production"))
    expect(heading).not_to_have_text(before)
    expect(page.locator("#said")).to_contain_text("xgboost: swap")
    assert page.evaluate("window.stillTheSamePage")


def test_many_tabs_share_one_stream(site: Site, visiting_as: Any) -> None:
    live = site.server.lifespan.state["live"]
    wait_until(lambda: live.watchers == 0)
    with visiting_as() as visit:
        pages = [visit.page.context.new_page() for _ in range(8)]
        for page in pages:
            page.goto(f"{site.url}/events/1")
            expect(page.locator("body")).to_have_class(re.compile("is-live"))

        assert live.watchers == 1
    wait_until(lambda: live.watchers == 0)


def test_nothing_moves_while_one_looks_back(visiting_as: Any) -> None:
    with visiting_as() as visit:
        page = visit.open("/?at=100")

        expect(page.get_by_text("You look at the past")).to_be_visible()
        assert visit.violations() == []
        assert page.locator("body.is-live").count() == 0
        page.get_by_role("link", name="Decisions").click()
        expect(page.get_by_text("You look at the past")).to_be_visible()
        page.get_by_role("link", name="Back to now").click()
        expect(page.locator("body.is-live")).to_have_count(1)


def test_a_stop_ends_a_stream_at_once(told: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=shutil.copytree(told, tmp_path / "data"), promotion_schedule=None)
    with (
        running_site(settings, agreeing_registry(settings), grace_seconds=ENDLESS_SECONDS) as site,
        site.client.stream("GET", "/live", timeout=PATIENCE_SECONDS) as answer,
    ):
        lines = answer.iter_lines()
        next(line for line in lines if line.startswith("id: "))
        site.server.should_exit = True
        list(lines)  # to its end, which is before any connection is cut
