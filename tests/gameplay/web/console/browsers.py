"""A browser for tests: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.patience import PATIENCE_SECONDS
from tests.programs import require

FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-sandbox")
"""The last, because a container's only user is root; the others keep Chromium from calling its maker."""
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
PATIENCE_MS = round(PATIENCE_SECONDS * 1_000)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)  # its own default is five seconds
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A tab of its own, and everything that went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the site, and wait until it is there."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def violations(self) -> list[str]:
        """What axe finds on the present page."""
        found: dict[str, Any] = Axe().run(self.page).response
        return [
            f"{one['id']}: {node['html']}: {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """A visit in a context of its own. At its end: no console error, and no request to another host."""
    context = browser.new_context(**{"viewport": DESK, "timezone_id": "UTC", "locale": "en-GB", **options})
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(context.new_page(), url)
    here = urlsplit(url).netloc

    def ask(request: Request) -> None:
        if urlsplit(request.url).netloc != here:
            visit.problems.append(f"asked another host: {request.url}")

    context.on("request", ask)
    context.on("console", lambda one: visit.problems.append(one.text) if one.type == "error" else None)
    context.on("weberror", lambda one: visit.problems.append(str(one.error)))
    try:
        yield visit
        assert visit.problems == [], visit.problems
    finally:
        context.close()
