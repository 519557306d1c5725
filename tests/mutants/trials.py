"""Tests against mutants: `python -m tests.mutants.trials JOBS RESULTS MINUTES`, in a copy of the checkout.

The tests are collected once; each mutant has a fork of that process, in which the changed function gets its new
code. The changed file is written too, for the programs that tests start.
"""

import faulthandler
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FunctionType
from typing import Literal

import msgspec
import pytest
from msgspec import Struct

from tests.mutants.drawing import Mutant
from tests.mutants.recording import OPTIONS, TESTS

CPU_SECONDS_MORE, CPU_FACTOR = 10, 4
WALL_SECONDS_MORE, WALL_FACTOR = 60, 20
"""What a test may use with a mutant beside what it uses without. More is as good as a failure."""


Outcome = Literal["killed", "hung", "survived"]


class Job(Struct):
    """A mutant, and the tests that can see it, the likeliest and the fastest first."""

    mutant: Mutant
    tests: dict[str, float]
    """Each with its seconds of the processor, without a mutant."""
    fresh: bool
    """Whether an import runs what is changed, so that a process of its own has to import it."""


class Result(Struct):
    """What became of a mutant."""

    mutant: Mutant
    outcome: Outcome
    tests: int
    """How many were chosen."""
    cpu_seconds: float


class Trials:
    """Tries jobs in a pytest session, in place of running its tests."""

    def __init__(self, jobs: Sequence[Job], results: Path, minutes: float = 60.0) -> None:
        self._jobs = jobs
        self._deadline = time.monotonic() + 60 * minutes
        self._results = results
        self._failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Write a line for each job, until the time is up."""
        items = {item.nodeid: item for item in session.items}
        write_example(session)
        self._run_unchanged(items)
        with self._results.open("wb") as lines:
            for number, job in enumerate(self._jobs, start=1):
                if time.monotonic() > self._deadline:
                    break
                before = _cpu_seconds()
                with written(job.mutant, number):
                    outcome = try_fresh(job) if job.fresh else self._try_forked(job, items)
                result = Result(job.mutant, outcome, len(job.tests), _cpu_seconds() - before)
                lines.write(msgspec.json.encode(result) + b"\n")
                lines.flush()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failure is all that a mutant needs."""
        if report.failed:
            self._failed = self._failed or report.nodeid

    def _run_unchanged(self, items: dict[str, pytest.Item]) -> None:
        """The first test of every job has to pass in a fork without a mutant: else it would kill them all."""
        tests = dict(next(iter(job.tests.items())) for job in self._jobs if job.tests and not job.fresh)
        failed = self._results.with_suffix(".failed")
        if tests and self._fork(tests, items, lambda: None, failed) != "survived":
            raise pytest.UsageError(f"a test fails in a fork without any mutant: {failed.read_text()}")

    def _try_forked(self, job: Job, items: dict[str, pytest.Item]) -> Outcome:
        outcome = self._fork(job.tests, items, lambda: replace_code(job.mutant))
        return try_fresh(job) if outcome == "not changed" else outcome

    def _fork(
        self,
        tests: Mapping[str, float],
        items: dict[str, pytest.Item],
        change: Callable[[], None],
        failed: Path | None = None,
    ) -> Outcome | Literal["not changed"]:
        process = os.fork()
        if not process:
            status = EXIT_NOT_CHANGED
            try:
                be_silent()
                change()
                status = EXIT_KILLED
                if self._pass([(items[test], seconds) for test, seconds in tests.items() if test in items]):
                    status = EXIT_SURVIVED
                elif failed is not None:
                    failed.write_text(self._failed)
            finally:
                os._exit(status)
        _, status = os.waitpid(process, 0)
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(status)
        return "not changed" if code == EXIT_NOT_CHANGED else outcome_of(code)

    def _pass(self, timed: Sequence[tuple[pytest.Item, float]]) -> bool:
        """Whether all pass; none is run after the first failure."""
        following_ones = (*(item for item, _ in timed[1:]), None)
        for (item, seconds), following in zip(timed, following_ones, strict=False):
            limit(seconds)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return False
        return True


EXIT_SURVIVED, EXIT_KILLED, EXIT_NOT_CHANGED = 0, 3, 4


def write_example(session: pytest.Session) -> None:
    """Write the example ledger, by running a test that reads it: every fork has it then, and none writes it."""
    for item in session.items:
        if "example" in getattr(item, "fixturenames", ()):
            # What comes next is said to be the session, whose fixtures are kept therefore, and no others.
            item.ihook.pytest_runtest_protocol(item=item, nextitem=session)
            return


def be_silent() -> None:
    """Be a process that leads its own group, and says nothing."""
    os.setsid()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def limit(seconds: float) -> None:
    """End this process when its next test takes much more than it takes as a rule.

    A mutant that loops would else use what all its tests may: a run spent a third of its time on a few of those.
    """
    cpu_seconds = int(time.process_time() + CPU_SECONDS_MORE + CPU_FACTOR * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, resource.RLIM_INFINITY))
    faulthandler.dump_traceback_later(_wall_seconds(seconds), exit=True)


def outcome_of(status: int) -> Outcome:
    """What the end of a forked process says: the two limits end it in ways of their own."""
    if status in (1, -signal.SIGXCPU, -signal.SIGKILL):
        return "hung"
    return "survived" if status == EXIT_SURVIVED else "killed"


def try_fresh(job: Job) -> Outcome:
    """Run the tests in a process that imports the changed file."""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", *OPTIONS, "--basetemp=fresh", *job.tests],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            status = process.wait(_wall_seconds(sum(job.tests.values())))
        except subprocess.TimeoutExpired:
            return "hung"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return "survived" if status == EXIT_SURVIVED else "killed"


@contextmanager
def written(mutant: Mutant, number: int) -> Iterator[None]:
    """The changed file in the place of its original; by its own time Python tells it from the one before."""
    path = Path(mutant.file)
    original = path.with_suffix(".original")
    shutil.copy2(path, original)
    try:
        path.write_text(mutant.source)
        os.utime(path, (number, number))
        yield
    finally:
        original.replace(path)


def replace_code(mutant: Mutant) -> None:
    """Give the function the code that it has in the mutant. Raises LookupError where its module has none such."""
    path = str(Path(mutant.file).resolve())
    codes = _codes(compile(mutant.source, path, "exec"))
    (changed,) = (
        one for one in codes if (one.co_qualname, one.co_firstlineno) == (mutant.function, mutant.first_line)
    )
    functions = [
        one for one in gc.get_objects() if type(one) is FunctionType and _place(one.__code__) == _place(changed)
    ]
    for function in functions:
        function.__code__ = changed
    # A module that is not imported yet will be, from the changed file.
    if not functions and any(getattr(module, "__file__", None) == path for module in list(sys.modules.values())):
        raise LookupError(f"{mutant.function} is not to be found in memory")


def _place(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _wall_seconds(seconds: float) -> float:
    return WALL_SECONDS_MORE + WALL_FACTOR * seconds


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(jobs: Path, results: Path, minutes: float) -> None:
    """Try what the file of jobs holds, for so many minutes."""
    trials = Trials(msgspec.json.decode(jobs.read_bytes(), type=list[Job]), results, minutes)
    sys.exit(pytest.main([*OPTIONS, *TESTS], plugins=[trials]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
