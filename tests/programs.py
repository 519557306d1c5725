"""Programs that tests need: on CI a missing one fails the test, elsewhere the test is left out and counted."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import NoReturn

import pytest

_LEFT_OUT = "left out, "
_DEBIAN_PACKAGES = {"promtool": "prometheus"}


def require(program: str) -> str:
    """The path of a program of the system."""
    return shutil.which(program) or leave_out(
        f"{program} is not installed (Debian: apt-get install {_DEBIAN_PACKAGES.get(program, program)})"
    )


def require_packaged(program: str, distribution: str) -> str:
    """The path of a program that comes in a wheel, wherever that is installed."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    found = [str(file.locate()) for file in files if file.name == program]
    return found[0] if found else leave_out(f"{program} is not installed (pip install {distribution})")


def leave_out(problem: str) -> NoReturn:
    """End the test: it needs what `problem` names, with the command that installs it."""
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(_LEFT_OUT + problem)


def left_out(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """How many tests of a run were left out, for which program, and the command that installs it."""
    reasons = [report.longrepr[2].partition(_LEFT_OUT) for report in reports if isinstance(report.longrepr, tuple)]
    problems = Counter(problem for _, is_left_out, problem in reasons if is_left_out)
    for problem, count in problems.most_common():
        yield f"{count} test{'s' if count > 1 else ''}: {problem}"
    if len(problems) > 1:
        yield f"{problems.total()} tests were left out"
