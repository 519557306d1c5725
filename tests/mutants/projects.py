"""A project of one module, with tests and this suite in it, in a folder."""

import shutil
from pathlib import Path

BOX = """
class Box:
    @staticmethod
    def volume(side):
        return side * side * side


def doubled(number):
    return number + number


TABLE = doubled(3)
"""
TESTS = """
import subprocess
import sys

from ledger.box import TABLE, Box, doubled


def test_volume():
    assert Box.volume(2) == 8


def test_doubled():
    assert doubled(5) == 10


def test_zero():
    assert doubled(0) == 0


def test_program():
    subprocess.run([sys.executable, "-c", "from ledger.box import doubled; assert doubled(5) == 10"], check=True)


def test_table():
    assert TABLE == 6
"""
TEST_WITH_EXAMPLE = """
def test_example(example):
    assert example == 1
"""
CONFTEST = """
import pytest
from hypothesis import settings

settings.register_profile("mutants", derandomize=True)


@pytest.fixture(scope="session")
def example():
    return 1
"""
FILES = {
    "ledger/__init__.py": "",
    "ledger/box.py": BOX,
    "projections/__init__.py": "",
    "tests/__init__.py": "",
    "tests/conftest.py": CONFTEST,
    "tests/ledger/test_box.py": TESTS,
    "tests/projections/test_example.py": TEST_WITH_EXAMPLE,
    "pyproject.toml": '[tool.mutmut]\nsource_paths = ["ledger", "projections"]\n',
}


def write_project(folder: Path) -> Path:
    """The folder."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    suite = Path(__file__).parent
    (folder / "tests" / "mutants").mkdir()
    for path in {*suite.glob("*.py")} - {*suite.glob("test_*.py")}:
        shutil.copy(path, folder / "tests" / "mutants")
    (folder / "tests" / "mutants" / "reasons.toml").touch()
    return folder
