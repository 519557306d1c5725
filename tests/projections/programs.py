"""Programs that a test may need."""

import os
import shutil

import pytest


def require(program: str) -> str:
    """The path of a program. On CI a missing one fails the test, elsewhere it skips it."""
    path = shutil.which(program)
    if path is None:
        package = {"promtool": "prometheus"}.get(program, program)
        missing = f"{program} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path
