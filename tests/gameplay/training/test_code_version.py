"""What `code_version` distinguishes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages, to be changed."""
    folder = tmp_path_factory.mktemp("copy")
    for package in ("gameplay", "ledger"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def version(folder: Path) -> str:
    program = "from gameplay.training.code_version import code_version; print(code_version())"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize(
    "module", ["game/rules", "game/rounds", "game/features", "training/dataset", "training/estimators"]
)
def test_a_change_of_what_shapes_a_model_is_another_version(copy: Path, module: str) -> None:
    before, path = version(copy), copy / "gameplay" / f"{module}.py"

    path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")

    assert version(copy) != before


def test_a_change_elsewhere_is_the_same_version(copy: Path) -> None:
    before, path = version(copy), copy / "gameplay" / "training" / "plots.py"

    path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")

    assert version(copy) == before
