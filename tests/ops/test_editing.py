"""The five steps by which people edit the dashboard, run as the docs give them."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gameplay.commands.dashboard import dashboard
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.exported import changes
from gameplay.observability.dashboard.parts import panels
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.provisioning.files import COMPACT, PRETTY
from gameplay.observability.site import DASHBOARD_UID
from tests.gameplay.observability.newer_form import newer, resource
from tests.ops.grafana_server import Grafana, grafana
from tests.patience import PATIENCE_SECONDS
from tests.programs import require

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh edited\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
KEY = "glsa_a1B2c3D4e5F6_0badcafe"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ops/ in a folder of its own, which is where the commands run."""
    for program in ("jq", "curl"):
        require(program)
    shutil.copytree(ROOT / "ops", tmp_path / "ops", ignore=shutil.ignore_patterns(".grafana_api_key"))
    monkeypatch.chdir(tmp_path)
    assert rps("rps dashboard").exit_code == 0
    return tmp_path


def rps(line: str) -> Result:
    return CliRunner().invoke(dashboard, shlex.split(line)[2:])


def shell(line: str, folder: Path, server: Grafana) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GRAFANA_API_KEY": KEY,
        "GRAFANA_URL": server.url,
    }
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], env=environment, check=True, timeout=PATIENCE_SECONDS, cwd=folder
    )


def edited() -> Json:
    """A copy that was saved and edited in Grafana: one panel asks about two hours."""
    copied = generated_dashboard() | {
        "id": 41,
        "title": "RPS Promotion Ledger Copy",
        "uid": "ce1xq2",
        "version": 7,
    }
    games = next(panel for panel in panels(copied) if panel["id"] == 212)
    games["targets"][0]["expr"] = 'sum by (policy) (increase(rps_games_total{policy=~"$policy"}[2h]))'
    return copied


@pytest.mark.parametrize("form", [lambda classic: classic, lambda classic: resource(newer(classic))])
def test_an_edit_goes_through_the_five_steps_unharmed(folder: Path, form: Callable[[Json], Json]) -> None:
    (normalize, take_over, deploy) = (block.splitlines() for block in BLOCKS)
    (folder / "ops" / PRETTY).write_text(json.dumps(form(edited())))
    with grafana(KEY) as server:
        for line in normalize:
            shell(line, folder, server)

        check, adopt = take_over
        result = rps(check)
        assert result.exit_code == 1
        assert "panel 212 (Games completed per hour): targets[0].expr" in result.output
        assert adopt in result.output
        assert rps("rps dashboard").exit_code == 1
        assert rps(adopt).exit_code == 0
        assert rps(check).exit_code == 0

        for line in deploy:
            shell(line, folder, server)

    assert {PRETTY, COMPACT} <= {path.name for path in (folder / "ops").iterdir()}
    assert not (folder / "ops" / "edited.json").exists()
    (change,) = [
        one for one in changes(generated_dashboard(), server.dashboards[DASHBOARD_UID]) if "tags" not in one
    ]
    assert change.endswith("[2h]))'")


def test_an_unedited_dashboard_goes_through_jq_unchanged(folder: Path) -> None:
    before = (folder / "ops" / COMPACT).read_bytes()
    with grafana(KEY) as server:
        for line in BLOCKS[0].splitlines():
            shell(line, folder, server)

    assert (folder / "ops" / COMPACT).read_bytes() == before
    assert rps("rps dashboard --check").exit_code == 0
