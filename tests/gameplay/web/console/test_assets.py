import re
from pathlib import Path

from gameplay.web.console.assets import FOLDER, MEDIA_TYPES, read_assets

MAKEFILE = Path(__file__).parents[4] / "Makefile"
FIRST_VIEW_BYTES_MAX = 150_000


def test_every_file_has_a_tag_of_its_content() -> None:
    assets = read_assets()

    assert assets.keys() >= {"console.css", "console.js", "favicon.svg"}
    assert len({asset.tag for asset in assets.values()}) == len(assets)
    assert {asset.media_type for asset in assets.values()} <= set(MEDIA_TYPES.values())


def test_a_first_view_is_small_without_the_chart_library() -> None:
    own = [asset.content for name, asset in read_assets().items() if not name.startswith("uplot")]

    assert sum(map(len, own)) < FIRST_VIEW_BYTES_MAX


def test_the_chart_library_is_the_pinned_one_with_its_licence() -> None:
    pinned = re.search(r"^UPLOT := (\S+)$", MAKEFILE.read_text("utf-8"), re.MULTILINE)

    assert pinned
    names = {one.name for one in FOLDER.iterdir() if one.name.startswith("uplot")}
    assert names == {f"uplot-{pinned[1]}.{ending}" for ending in ("min.js", "min.css", "LICENSE.txt")}
    assert f"v{pinned[1]}" in (FOLDER / f"uplot-{pinned[1]}.min.js").read_text("utf-8")[:200]
    assert "MIT License" in (FOLDER / f"uplot-{pinned[1]}.LICENSE.txt").read_text("utf-8")
