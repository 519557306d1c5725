import re
from pathlib import Path
from typing import Any

import pytest

from tests.gameplay.web.console.shots import SHOTS, picture_of, take
from tests.gameplay.web.sites import Site

PAGE = Path(__file__).parents[4] / "docs" / "console.md"


def test_the_page_shows_every_picture() -> None:
    shown = set(re.findall(r"\(images/console-([\w-]+)\.png\)", PAGE.read_text("utf-8")))

    assert shown == SHOTS.keys()
    assert all(picture_of(name).exists() for name in SHOTS), "`make pages` takes them"


@pytest.mark.parametrize("name", SHOTS)
def test_every_picture_can_be_taken(site: Site, visiting_as: Any, tmp_path: Path, name: str) -> None:
    with visiting_as(**SHOTS[name].device) as visit:
        take(visit, site, name, tmp_path)

    assert picture_of(name, tmp_path).read_bytes().startswith(b"\x89PNG")
