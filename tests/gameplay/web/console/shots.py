"""The pictures of docs/console.md, and what Lighthouse says of the pages: `make pages`.

python -m tests.gameplay.web.console.shots [--no-lighthouse]
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import Page

from gameplay.config import Settings
from scripts.audit_ledger import write_ledger
from tests.gameplay.web.console.browsers import DESK, FLAGS, PHONE, Visit, open_browser, visiting
from tests.gameplay.web.console.told import SWAP_QUERY, agreeing_registry
from tests.gameplay.web.sites import Site, running_site
from tests.programs import require

FOLDER = Path(__file__).parents[4] / "docs" / "images"
LIGHTHOUSE = "lighthouse@12.2.3"
LIGHTHOUSE_RUNS = 3
CATEGORIES = ("performance", "accessibility")
SCORE_MIN = 0.95


class Shot(NamedTuple):
    """A picture: how to get there, and on which device."""

    go: Callable[[Visit, Site], Page]
    device: Mapping[str, Any]


def _open(path: str) -> Callable[[Visit, Site], Page]:
    return lambda visit, _site: visit.open(path)


def _decision(visit: Visit, site: Site) -> Page:
    row = site.client.get("/decisions.json", params=SWAP_QUERY).json()["rows"][0]
    page = visit.open(f"/decisions/{row['id']}")
    page.get_by_role("button", name="Derive again").click()
    page.get_by_text("It agrees.").wait_for()
    return page


def _family(visit: Visit, _site: Site) -> Page:
    page = visit.open("/families/multinomial_logistic")
    page.locator("#charts canvas").nth(6).wait_for()
    return page


def _game(visit: Visit, _site: Site) -> Page:
    page = visit.open("/play")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Your move.").wait_for()
    for number, key in enumerate("rps", start=1):
        page.keyboard.press(key)
        page.locator(f"#rounds [data-round='{number}']").wait_for()
        page.locator("#moves:not([aria-busy='true'])").wait_for()
    return page


SHOTS: Mapping[str, Shot] = {
    "overview": Shot(_open("/"), {"viewport": DESK}),
    "overview-night": Shot(_open("/"), {"viewport": PHONE, "color_scheme": "dark"}),
    "play": Shot(_game, {"viewport": PHONE}),
    "decision": Shot(_decision, {"viewport": DESK}),
    "family": Shot(_family, {"viewport": DESK}),
    "what-if": Shot(_open("/what-if?alpha=0.05&model_type=multinomial_logistic"), {"viewport": DESK}),
    "past": Shot(_open("/?at=3000"), {"viewport": DESK}),
}


def picture_of(name: str, folder: Path = FOLDER) -> Path:
    """Where a picture is kept."""
    return folder / f"console-{name}.png"


def take(visit: Visit, site: Site, name: str, folder: Path) -> None:
    """Take one picture."""
    SHOTS[name].go(visit, site).screenshot(path=picture_of(name, folder))


def main(arguments: list[str]) -> int:
    """Take every picture, then ask Lighthouse; the exit status is 1 when a score is too low."""
    with TemporaryDirectory() as scratch:
        folder = write_ledger(Path(scratch)).parent
        settings = Settings(data_dir=folder, promotion_schedule=None)
        with running_site(settings, agreeing_registry(settings)) as site:
            with open_browser() as browser:
                for name, shot in SHOTS.items():
                    with visiting(browser, site.url, **shot.device) as visit:
                        take(visit, site, name, FOLDER)
            if "--no-lighthouse" in arguments:
                return 0
            scores = {path: _scores(f"{site.url}{path}") for path in ("/", "/play")}
    for path, found in scores.items():
        sys.stdout.write(f"{path}: {', '.join(f'{name} {score:.2f}' for name, score in found.items())}\n")
    return int(any(score < SCORE_MIN for found in scores.values() for score in found.values()))


def _scores(url: str) -> dict[str, float]:
    """Category -> the median of three runs."""
    runs = [_lighthouse(url) for _ in range(LIGHTHOUSE_RUNS)]
    return {name: statistics.median(run[name] for run in runs) for name in CATEGORIES}


def _lighthouse(url: str) -> dict[str, float]:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("Lighthouse needs npm (Debian: apt-get install npm)")
    flags = " ".join(("--headless=new", *FLAGS))
    command = [npm, "exec", "--yes", f"--package={LIGHTHOUSE}", "--", "lighthouse", url]
    options = [f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={flags}", "--output=json", "--quiet"]
    environment = {**os.environ, "CHROME_PATH": require("chromium")}
    answer = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE, env=environment)
    report = json.loads(answer.stdout)
    return {name: report["categories"][name]["score"] for name in CATEGORIES}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
