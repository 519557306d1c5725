"""An installation that only serves: the process may import nothing but what that image has."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from scripts.ports import free_port
from tests.patience import PATIENCE_SECONDS
from tests.prometheus.processes import clean_environment, get, post, running, wait_for

ROOT = Path(__file__).parents[2]
REFUSING = """
import sys
from importlib.abc import MetaPathFinder

class Left(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LEFT_OUT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

LEFT_OUT = frozenset({names})
sys.meta_path.insert(0, Left())
from importlib import metadata
found = metadata.version
def version(name):
    if name in {packages}:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which an interpreter has no other libraries than those of the serving image."""
    kept, all_ = (_pinned(name) for name in ("requirements-serving.txt", "requirements.txt"))
    modules = {
        module
        for module, packages in metadata.packages_distributions().items()
        if {_plain(package) for package in packages} <= all_ - kept
    }
    folder = tmp_path_factory.mktemp("serving")
    text = textwrap.dedent(REFUSING).replace("{names}", repr(modules)).replace("{packages}", repr(all_ - kept))
    (folder / "sitecustomize.py").write_text(text, "utf-8")
    assert {"sklearn", "xgboost", "pandas", "pyarrow", "matplotlib", "flask", "onnx"} <= modules
    return clean_environment(PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]), RPS_PROMOTION_SCHEDULE="off")


def _pinned(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / name).read_text("utf-8"), re.MULTILINE))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def rps(*arguments: str) -> list[str]:
    start = "import sys; from gameplay.cli import main; sys.argv[0] = 'rps'; main()"
    return [sys.executable, "-c", start, *arguments]


def test_versions_that_exist_are_loaded_from_mlflow_and_served(
    environment: Mapping[str, str], trained: Path, tmp_path: Path
) -> None:
    data, port = shutil.copytree(trained, tmp_path / "data"), free_port()
    shutil.rmtree(data / "models")
    service, log = f"http://127.0.0.1:{port}", tmp_path / "log"

    with running(rps("serve"), log, {**environment, "RPS_DATA_DIR": str(data), "RPS_PORT": str(port)}):
        wait_for("ready", lambda: get(f"{service}/readyz"), log)
        game = post(f"{service}/start_game", {"policy": "forrest"})
        for _ in range(4):
            played = post(f"{service}/play", {"game_id": game["game_id"], "user_move": "rock"})
        with urllib.request.urlopen(f"{service}/models", timeout=PATIENCE_SECONDS) as answer:
            aliases = json.load(answer)["xgboost"]["aliases"]

    assert played["model_info"]["probability_source"] == "model"
    assert {alias["source"] for alias in aliases.values()} == {"mlflow"}


def test_a_training_says_what_is_left_out(environment: Mapping[str, str], trained: Path, tmp_path: Path) -> None:
    data = shutil.copytree(trained, tmp_path / "data")
    variables = {**environment, "RPS_DATA_DIR": str(data)}

    done = subprocess.run(rps("train", "--force"), env=variables, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "scikit-learn is not installed" in done.stderr
    assert "pip install 'promotion-ledger[training]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_first_start_says_so_before_it_plays(environment: Mapping[str, str], tmp_path: Path) -> None:
    variables = {**environment, "RPS_DATA_DIR": str(tmp_path / "new")}

    done = subprocess.run(rps("setup"), env=variables, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "scikit-learn is not installed" in done.stderr
    assert "Bots play" not in done.stdout + done.stderr
