"""An operator's day with MLflow and a terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from gameplay.cli import rps
from gameplay.commands import orders
from gameplay.config import Settings
from gameplay.models.artifacts import REGISTERED_NAMES
from ledger.vocabulary import ALIASES, Family
from projections.commands.console import EXIT_FINDING

LINE: Family = "multinomial_logistic"
ORDER = ("--model-type", LINE, "--reason", "a look by hand", "--actor", "ada")

Run = Callable[..., Result]


@pytest.fixture
def run(data_dir: Path) -> Run:
    def invoke(*words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(rps, ["promotion", *words], env={"RPS_DATA_DIR": str(data_dir)}, input=typed)

    return invoke


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is one."""
    monkeypatch.setattr(orders, "is_terminal", lambda: True)


def in_mlflow(data_dir: Path) -> list[int]:
    client = MlflowClient(tracking_uri=Settings(data_dir=data_dir).mlflow_tracking_uri)
    model = client.get_registered_model(REGISTERED_NAMES[LINE])
    return [int(model.aliases[alias]) for alias in ALIASES]


def test_a_swap_by_hand_and_its_undo_move_the_aliases_of_mlflow(run: Run, data_dir: Path) -> None:
    shown = run("swap", *ORDER, "--dry-run")
    assert "Production v1 -> v2, B v2 -> v1; the tickers go to zero" in shown.output
    assert in_mlflow(data_dir) == [1, 2, 3, 4]

    swapped = run("swap", *ORDER, "--json")

    assert json.loads(swapped.stdout)["applied"]
    assert in_mlflow(data_dir) == [2, 1, 3, 4]
    brought = run("swap", *ORDER, "--to", "4")
    assert brought.exit_code == 0, brought.output
    assert "tickers" not in brought.stdout
    assert in_mlflow(data_dir) == [4, 1, 3, 2]
    undone = run("undo", *ORDER)
    assert undone.exit_code == 0, undone.output
    assert in_mlflow(data_dir) == [2, 1, 3, 4]
    history = [json.loads(line) for line in run("history", "--json", "--limit", "3").stdout.splitlines()]
    assert [(one["actor"], one["applied"], one["swapped"]) for one in history] == [
        ("ada", True, False),
        ("ada", True, False),
        ("ada", True, True),
    ]
    assert history[0]["undoes"] == history[1]["position"] + 1


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_shown_what_would_be_done_and_asked(run: Run, data_dir: Path) -> None:
    refused = run("swap", *ORDER, typed="n\n")

    assert refused.exit_code == EXIT_FINDING
    assert "Production v1 -> v2" in refused.stderr
    assert "nothing was done" in refused.stderr
    assert in_mlflow(data_dir) == [1, 2, 3, 4]
    assert run("swap", *ORDER, typed="y\n").exit_code == 0
    assert in_mlflow(data_dir) == [2, 1, 3, 4]
    assert run("undo", *ORDER, "--yes").exit_code == 0
    assert in_mlflow(data_dir) == [1, 2, 3, 4]
