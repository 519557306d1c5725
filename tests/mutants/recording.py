"""Which test runs which line: `python -m tests.mutants.recording SHARE SHARES FILE`.

It runs a share of the test modules once under coverage, in a copy of the checkout, and writes a `Recording`.
"""

import os
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from coverage import Coverage
from msgspec import Struct

PACKAGES = ("ledger", "projections")
TESTS = ("tests/ledger", "tests/projections")
KINDS = "not stats and not images"
OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "-m", KINDS),
    *("-o", "tmp_path_retention_policy=none", "--basetemp=temporary", "--hypothesis-profile=mutants"),
)


class Recording(Struct):
    """What tests run. A line that a module's import runs has the test "" too."""

    lines: dict[str, dict[int, list[str]]]
    """File -> line -> tests."""
    seconds: dict[str, float]
    """Of the processor, for each test that passes: a busy machine does not change them much."""
    with_server: list[str]
    """Tests that need a PostgreSQL server, which takes seconds to start."""
    failed: list[str]


class Recorder:
    """Runs a share of the test modules, each test in a context of its own."""

    def __init__(self, share: int, shares: int) -> None:
        self._share, self._shares = share, shares
        folders = [str(Path(one).resolve()) for one in PACKAGES]
        self.coverage = Coverage(data_file=None, config_file=False, source=folders)
        self.seconds: dict[str, float] = {}
        self.with_server: list[str] = []
        self.failed: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep this share's modules."""
        items[:] = [one for one in items if crc32(one.path.name.encode()) % self._shares == self._share]
        self.with_server = [one.nodeid for one in items if one.get_closest_marker("postgresql")]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note what it runs under its name, and what that costs."""
        self.coverage.switch_context(item.nodeid)
        before = sum(os.times()[:4])
        result = yield
        self.seconds[item.nodeid] = sum(os.times()[:4]) - before
        self.coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails without a mutant, or is skipped, judges none."""
        if not report.passed:
            self.failed.add(report.nodeid)

    def recording(self) -> Recording:
        """What there is when all tests have run."""
        data = self.coverage.get_data()
        here = Path.cwd()
        return Recording(
            lines={
                str(Path(file).relative_to(here)): data.contexts_by_lineno(file) for file in data.measured_files()
            },
            seconds={test: seconds for test, seconds in self.seconds.items() if test not in self.failed},
            with_server=self.with_server,
            failed=sorted(self.failed),
        )


def merged(shares: Iterable[Recording]) -> Recording:
    """What the shares have recorded, together."""
    whole = Recording({}, {}, [], [])
    for share in shares:
        for file, lines in share.lines.items():
            for line, tests in lines.items():
                whole.lines.setdefault(file, {}).setdefault(line, []).extend(tests)
        whole.seconds |= share.seconds
        whole.with_server += share.with_server
        whole.failed += share.failed
    return whole


def record(share: int, shares: int, path: Path) -> None:
    """Run the tests, and write what they run to the path."""
    recorder = Recorder(share, shares)
    recorder.coverage.start()
    status = pytest.main([*OPTIONS, *TESTS], plugins=[recorder])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.exit(status)
    recorder.coverage.stop()
    path.write_bytes(msgspec.json.encode(recorder.recording()))


if __name__ == "__main__":
    record(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
