"""The whole run, on a project of one module."""

import subprocess
import sys
from pathlib import Path

from tests.mutants.projects import write_project


def test_a_survivor_without_a_reason_fails_the_run(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    path = folder / "tests" / "ledger" / "test_box.py"
    path.write_text(path.read_text().replace("Box.volume(2) == 8", "Box.volume(1) == 1"))

    run = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--mutants", "20", "--workers", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stderr
    assert "1 of 3 mutants killed, 33.3%" in run.stdout
    assert run.stdout.count("no reason; 1 tests passed") == 2
