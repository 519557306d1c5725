"""A plugin: the end of a run says how many tests were left out for a missing program."""

import pytest

from tests.programs import left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := list(left_out(terminalreporter.stats.get("skipped", []))):
        terminalreporter.section("left out for a missing program")
        for line in lines:
            terminalreporter.write_line(line)
