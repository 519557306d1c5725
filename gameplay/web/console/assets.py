"""The console's static files: read once, at the start."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

FOLDER = files("gameplay.web.console") / "static"
TAG_LENGTH = 16
# Written down here: a system's own table may call a module text/plain, which no browser runs.
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True)
class Asset:
    """One file: its bytes, what they are, and a tag that changes with them."""

    content: bytes
    media_type: str
    tag: str


def read_assets(folder: Traversable = FOLDER) -> Mapping[str, Asset]:
    """Name -> file, for every file in the folder."""
    found = {}
    for one in folder.iterdir():
        content = one.read_bytes()
        tag = hashlib.sha256(content).hexdigest()[:TAG_LENGTH]
        found[one.name] = Asset(content, MEDIA_TYPES[one.name[one.name.rfind(".") :]], tag)
    return found
