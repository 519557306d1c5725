"""What the markers in a model store say, read as scripts read them: from the objects themselves."""

import json
from pathlib import Path

from gameplay.models.artifacts import REGISTERED_NAMES
from ledger.vocabulary import ALIASES, Alias, Family
from projections.objects import ObjectStore, open_folder


def markers_in(store: Path | ObjectStore, family: Family) -> dict[Alias, tuple[int, str | None]]:
    """Alias -> version and run, of the markers under the registered name."""
    objects = open_folder(store, make=False) if isinstance(store, Path) else store
    found: dict[Alias, tuple[int, str | None]] = {}
    for alias in ALIASES:
        try:
            marker = json.loads(bytes(objects.get(f"{REGISTERED_NAMES[family]}/.alias_{alias}").bytes()))
        except FileNotFoundError:
            continue
        found[alias] = marker["version"], marker["run_id"]
    return found


def run_markers_in(store: Path | ObjectStore) -> dict[str, str]:
    """Key -> line, of all markers in the folders of runs."""
    objects = open_folder(store, make=False) if isinstance(store, Path) else store
    paths = [meta["path"] for page in objects.list() for meta in page if "/.alias_" in meta["path"]]
    named = tuple(REGISTERED_NAMES.values())
    return {path: bytes(objects.get(path).bytes()).decode() for path in paths if not path.startswith(named)}
