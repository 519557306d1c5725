"""What `pip install` of the wheel gives, and what the lock promises."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts.wheels import LOCK, command, pins, pins_for

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; .+)? \\$", re.MULTILINE).findall
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made of the checkout without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_brings_three_names_and_no_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"ledger", "projections", "gameplay"}


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "ledger", "projections", "gameplay", "migrations"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    expected = {re.sub("^migrations/", "ledger/migrations/", path) for path in listed if (ROOT / path).exists()}

    with zipfile.ZipFile(wheel) as content:
        assert expected <= set(content.namelist())


def test_an_installed_package_finds_its_migrations(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "site-packages")
    start = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ledger import upgrade\n"
        "from ledger.engines.database import disposing, open_engine\n"
        "print(upgrade.__file__)\n"
        "with disposing(open_engine(sys.argv[2])) as engine: print(upgrade.upgrade(engine))\n"
    )
    arguments = [str(tmp_path / "site-packages"), f"sqlite:///{tmp_path / 'ledger.db'}"]

    done = subprocess.run(
        [sys.executable, "-c", start, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    module, upgraded = done.stdout.split() or [done.stderr, ""]
    assert (Path(module).parent, upgraded) == (tmp_path / "site-packages" / "ledger", "True")


def test_the_metadata_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        (path,) = (name for name in content.namelist() if name.endswith("/METADATA"))
        metadata = content.read(path).decode()

    assert "Requires-Python: >=3.11" in metadata
    assert "Keywords: " in metadata
    assert "Classifier: Programming Language :: Python :: 3.13" in metadata
    assert "License" not in metadata, "it is the owner's to choose; the README says so"


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("requirements.txt", 20),
        ("requirements-dev.txt", 20),
        ("requirements-serving.txt", 20),
        ("requirements-bench.txt", 2),
    ],
)
def test_every_pin_has_hashes_and_no_address(name: str, least: int) -> None:
    text = (ROOT / name).read_text("utf-8")
    heads = [line for line in text.splitlines() if line and line[0] not in " #-"]

    assert len(PIN(text)) == len(heads) >= least
    assert len(re.findall(r"==.* \\\n    --hash=sha256:", text)) == len(heads)
    assert "://" not in text


def test_what_is_asked_for_is_pinned_once() -> None:
    runtime, development, serving = (
        PIN((ROOT / name).read_text("utf-8"))
        for name in ("requirements.txt", "requirements-dev.txt", "requirements-serving.txt")
    )
    names = [name for name, _ in runtime + development]
    extras = PROJECT["optional-dependencies"]

    assert len(names) == len(set(names))
    assert asked(extras["dev"]) <= set(names)
    assert asked([*PROJECT["dependencies"], *extras["training"], *extras["ui"]]) <= {name for name, _ in runtime}
    assert asked(PROJECT["dependencies"]) <= {name for name, _ in serving}
    assert set(serving) <= set(runtime)
    assert asked(extras["bench"]) == {
        name for name, _ in PIN((ROOT / "requirements-bench.txt").read_text("utf-8"))
    }
    assert asked(extras["training"]).isdisjoint(name for name, _ in serving)


def asked(ranges: list[str]) -> set[str]:
    return {re.split(r"[~<>=\[]", one)[0] for one in ranges}


def test_the_pins_for_another_python_are_those_whose_markers_hold_there(tmp_path: Path) -> None:
    older = "# by hand\nboth==1 \\\n    --hash=sha256:00\nnumpy==2.4 ; python_full_version < '3.12'\n"
    newer = "numpy==2.5 ; python_full_version >= '3.12'\nwindows==1 ; sys_platform == 'win32'\n"
    lock = tmp_path / "lock.txt"
    (tmp_path / "base.txt").write_text(older)
    lock.write_text(f"-r base.txt\n{newer}")

    assert pins_for(lock, "3.14") == ["both==1", "numpy==2.5"]
    assert pins_for(lock, "3.11") == ["both==1", "numpy==2.4"]


def test_only_wheels_of_that_python_are_asked_for(tmp_path: Path) -> None:
    words = command(tmp_path / "pins.txt", tmp_path, "3.14")

    assert "download" in words
    assert {"--only-binary=:all:", "--no-deps"} <= set(words)
    assert words[words.index("--python-version") + 1] == "3.14"


def test_every_pin_of_the_lock_can_be_read() -> None:
    names = {pin.name for pin in pins(LOCK)}

    assert {"numpy", "sqlalchemy", "pytest"} <= names
    assert len(pins_for(LOCK, "3.14")) > 100
