"""A plugin: the end of a run says what the tests took of it that need a program beside Python."""

from collections.abc import Iterable

import pytest

MARKS = ("postgresql", "browser")
"""Given by `conftest.py` to each test that needs one."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        one for some in terminalreporter.stats.values() for one in some if isinstance(one, pytest.TestReport)
    ]
    for mark in MARKS:
        if line := share_of(mark, reports):
            terminalreporter.write_line(line)


def share_of(mark: str, reports: Iterable[pytest.TestReport]) -> str | None:
    """How long the tests with a mark took, with what they set up; None where there was none."""
    marked = [report for report in reports if mark in report.keywords]
    if not marked:
        return None
    tests = len({report.nodeid for report in marked})
    return f"{mark}: {sum(report.duration for report in marked):.0f} s for {tests} tests"
