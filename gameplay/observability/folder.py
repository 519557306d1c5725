"""The folder `ops/`: written from the generators, and compared with them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.exported import NoDashboardError, changes, is_adopted, normalized
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.provisioning.files import COMPACT, DIGEST, PRETTY, digest, documents

FOLDER = Path("ops")
REPAIR = (
    "correct it in Grafana and adopt it again, or go back to the generated one: rps dashboard --discard-adopted"
)
NOTE = "# Made by `rps dashboard`; change the generator and run it again.\n"


class OpsError(Exception):
    """A file in `ops/` that cannot be read or must not be overwritten."""


class EditedError(OpsError):
    """A dashboard that was edited since it was written, and is not adopted."""

    def __init__(self, folder: Path, edits: Mapping[str, list[str]]) -> None:
        lines = [line for path, found in edits.items() for line in (f"{folder / path} was edited:", *found)]
        adopt = f"rps dashboard {_option(folder)}adopt {folder / next(iter(edits))}"
        ways = f"keep it: {adopt}\ngo back to the generated one: rps dashboard {_option(folder)}--discard-adopted"
        super().__init__("\n".join([*lines, "nothing was written.", ways]))


def is_ours(folder: Path) -> bool:
    """Whether a folder holds these files already, or is that of a checkout of this project."""
    if (folder / DIGEST).exists():
        return True
    try:
        return 'name = "promotion-ledger"' in (folder.parent / "pyproject.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def write(folder: Path, dashboard: Json) -> list[str]:
    """Write every file that differs from what the dashboard gives; returns their paths within the folder."""
    changed = []
    for path, text in rendered(dashboard).items():
        target = folder / path
        if not target.exists() or target.read_bytes() != text.encode():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
            changed.append(path)
    return changed


def differences(folder: Path, dashboard: Json) -> list[str]:
    """Files that are not as they would be written now."""
    found = []
    for path, text in rendered(dashboard).items():
        target = folder / path
        if not target.exists():
            found.append(f"{path} is missing")
        elif target.read_bytes() != text.encode():
            found.append(f"{path} differs")
    return found


def current_dashboard(folder: Path) -> Json:
    """People's own dashboard where they have adopted one, otherwise the generated one.

    Raises EditedError, and OpsError with all that is wrong with an adopted dashboard: it cannot be written.
    """
    if edited := edits(folder):
        raise EditedError(folder, edited)
    path = folder / PRETTY
    if not path.exists() or not is_adopted(stored := normal_dashboard(path)):
        return generated_dashboard()
    if found := findings(stored, row_keys()):
        raise OpsError("\n".join([f"{path} is an adopted dashboard, and it is broken:", *found, REPAIR]))
    return stored


def edits(folder: Path) -> dict[str, list[str]]:
    """Dashboards in the folder that people have edited since they were written -> what they have otherwise.

    What an export adds unasked is no edit, and an adopted dashboard may be edited in its file.
    """
    known = {digest(generated_dashboard()), _kept_digest(folder)}
    found = {}
    for path in (PRETTY, COMPACT):
        if not (folder / path).exists() or (content := digest(read_dashboard(folder / path))) in known:
            continue
        known.add(content)
        stored = normal_dashboard(folder / path)
        changed = changes(generated_dashboard(), stored)
        if changed and not (path == PRETTY and is_adopted(stored)):
            found[path] = changed
    return found


def _kept_digest(folder: Path) -> str | None:
    path = folder / DIGEST
    return path.read_text("utf-8").strip() if path.exists() else None


def normal_dashboard(path: Path) -> Json:
    """The dashboard in a file, in either of the forms that Grafana exports. Raises OpsError."""
    try:
        return normalized(read_dashboard(path))
    except NoDashboardError as error:
        raise OpsError(f"{path}: {error}") from error


def read_dashboard(path: Path) -> Json:
    """A JSON object from a file. Raises OpsError."""
    try:
        dashboard = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OpsError(f"{path}: {error}") from error
    if not isinstance(dashboard, dict):
        raise OpsError(f"{path} holds no JSON object")
    return dashboard


def rendered(dashboard: Json) -> dict[str, str]:
    """Path within the folder -> text. The same dashboard gives the same bytes, and `jq` would not change them."""
    return {path: _render(path, content) for path, content in documents(dashboard).items()}


def _option(folder: Path) -> str:
    return "" if folder == FOLDER else f"--folder {folder} "


def _render(path: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if path == COMPACT:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
    if path.endswith(".json"):
        return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return NOTE + "---\n".join(_yaml(document) for document in content)


def _yaml(document: Mapping[str, Any]) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Without anchors: a shared dict is written out each time it is used."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
