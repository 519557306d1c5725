"""What `code_version` distinguishes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gameplay.training.code_version import git_commit, origin_now

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


def test_a_fit_names_its_user_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    named = origin_now("rps train")
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    nameless = origin_now("rps train")

    assert (named.trainer, named.user) == ("rps train", "ada")
    assert nameless.user is None
    assert named.began_ms <= nameless.began_ms


def test_the_commit_is_the_checkouts_own(tmp_path: Path) -> None:
    inside = tmp_path / "site-packages"
    inside.mkdir()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)

    assert len(git_commit(tmp_path) or "") == 40
    assert git_commit(inside) is None
