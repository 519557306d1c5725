"""The commands of the symptoms that need no cluster, run against a service that plays."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.programs import require
from tests.prometheus.conftest import Live
from tests.prometheus.processes import clean_environment

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
SECTION = PAGE.partition("## On the dashboard, by symptom")[2].partition("\n## ")[0]
ROWS = [line.strip("|").split(" | ") for line in SECTION.splitlines() if line.startswith("| ")][1:]
COMMANDS = ("curl ", "rps ", "rps-audit ")
OURS = [code for *_, ours in ROWS for code in re.findall("`([^`]+)`", ours) if code.startswith(COMMANDS)]
SYMPTOMS = (
    "flat",
    "alias metrics",
    "empty",
    "accuracy",
    "N/A",
    "401",
    "link",
    "endpoint",
    "restart",
    "MLflow",
    "parity",
)


@pytest.mark.parametrize("word", SYMPTOMS)
def test_a_symptom_has_its_row(word: str) -> None:
    assert [row for row in ROWS if word in row[0]]


def test_every_row_has_both_sides() -> None:
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("command", sorted(set(OURS)))
def test_a_command_from_here_works(live: Live, command: str) -> None:
    if command.startswith("curl"):
        require("curl")
    programs = str(Path(sys.executable).parent)
    environment = clean_environment()
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    line = command.replace("http://127.0.0.1:8080", live.service)

    done = subprocess.run(
        ["bash", "-c", line],
        cwd=live.log.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or "no event is like that" in done.stderr
