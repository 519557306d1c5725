"""Programs that tests need: on CI a missing one fails the test, elsewhere it skips it."""

import os
import shutil
from importlib import metadata
from typing import NoReturn

import pytest

_DEBIAN_PACKAGES = {"promtool": "prometheus"}


def require(program: str) -> str:
    """The path of a program of the system."""
    return shutil.which(program) or _missing(
        f"{program} is not installed (Debian: apt-get install {_DEBIAN_PACKAGES.get(program, program)})"
    )


def require_packaged(program: str, distribution: str) -> str:
    """The path of a program that comes in a wheel, wherever that is installed."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    found = [str(file.locate()) for file in files if file.name == program]
    return found[0] if found else _missing(f"{program} is not installed (pip install {distribution})")


def _missing(problem: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)
