import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.mutants.drawing import mutant_of, mutations
from tests.mutants.projects import BOX, write_project
from tests.mutants.trials import Job, Result, Trials, outcome_of


def job(after: str, *tests: str, fresh: bool = False) -> Job:
    module, found = mutations(BOX, "ledger/box.py")
    (mutant,) = (one for one in (mutant_of("ledger/box.py", module, one) for one in found) if one.after == after)
    return Job(mutant, {f"tests/ledger/test_box.py::{test}": 1.0 for test in tests}, fresh)


def run(folder: Path, jobs: Sequence[Job]) -> subprocess.CompletedProcess[str]:
    (folder / "jobs.json").write_bytes(msgspec.json.encode(jobs))
    return subprocess.run(
        [sys.executable, "-m", "tests.mutants.trials", "jobs.json", "results.json", "60"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_mutant_is_killed_by_a_test_that_sees_the_change(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    minus = "return number - number"
    jobs = [
        job("return side * side / side", "test_volume"),
        job(minus, "test_zero", "test_doubled"),
        job(minus, "test_zero"),
        job(minus, "test_program"),
        job(minus, "test_table"),
        job(minus, "test_table", fresh=True),
    ]

    done = run(folder, jobs)

    assert done.returncode == 0, done.stdout + done.stderr
    results = msgspec.json.Decoder(Result).decode_lines((folder / "results.json").read_bytes())
    assert [one.outcome for one in results] == ["killed", "killed", "survived", "killed", "survived", "killed"]
    assert (folder / "ledger" / "box.py").read_text() == BOX


def test_no_mutant_is_tried_when_the_time_is_up(tmp_path: Path) -> None:
    trials = Trials([job("return number - number", "test_zero", fresh=True)], tmp_path / "results", minutes=0.0)
    session: Any = SimpleNamespace(items=[])

    trials.pytest_runtestloop(session)

    assert (tmp_path / "results").read_bytes() == b""


def test_a_test_that_fails_without_a_mutant_judges_none(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    path = folder / "tests" / "ledger" / "test_box.py"
    path.write_text(path.read_text().replace("doubled(0) == 0", "doubled(0) == 1"))

    refused = run(folder, [job("return number - number", "test_zero")])

    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "without any mutant: tests/ledger/test_box.py::test_zero" in refused.stderr
    assert not (folder / "results.json").exists()


@pytest.mark.parametrize("status", [1, -signal.SIGXCPU, -signal.SIGKILL])
def test_a_mutant_that_a_limit_ends_has_hung(status: int) -> None:
    assert outcome_of(status) == "hung"


@pytest.mark.parametrize("status", [2, 3, -signal.SIGSEGV])
def test_a_mutant_that_ends_the_process_is_killed(status: int) -> None:
    assert outcome_of(status) == "killed"
