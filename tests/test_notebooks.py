"""Every block of docs/notebooks.md, run as a reader would run it."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import projections
from ledger.engines.database import disposing, open_reader
from tests.projections.terminal import ask

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "notebooks.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
MINE = next(block for block in BLOCKS if "ReadModel" in block)


@pytest.fixture
def folder(example: Path, tmp_path: Path) -> Path:
    """A folder with the example as its data folder."""
    (tmp_path / "data").mkdir()
    shutil.copy(example, tmp_path / "data" / "ledger.db")
    return tmp_path


def run(block: str, folder: Path, *arguments: str) -> str:
    program = f"import matplotlib\nmatplotlib.use('Agg')\n{block}"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plot_is_drawn(folder: Path) -> None:
    (block,) = [block for block in BLOCKS if "savefig" in block]
    run(block, folder)

    assert (folder / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_table_is_printed(folder: Path) -> None:
    assert "xgboost" in run(BLOCKS[0], folder)


def test_a_read_model_of_ones_own_is_the_same_in_a_notebook_and_on_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.py").write_text(MINE, "utf-8")
    monkeypatch.chdir(folder)

    printed = run(MINE, folder)
    shown = ask(folder / "data" / "ledger.db", "replay", "--projection", "mine:wins", "--json").json

    with projections.open("data") as ledger:
        wins = Counter(f"{game.policy}/{game.winner}" for game in ledger.games() if game.winner)
        assert shown == {"position": ledger.head().position, "state": wins}
    assert printed.startswith("Counter({('forrest', 'bot'): ")
    assert (
        "Your read model at position 100"
        in ask("sqlite:///data/ledger.db", "replay", "--projection", "mine:wins", "--to", "100").output
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:wins", "No module named 'nowhere'"),
        ("projections:nothing", "has no attribute 'nothing'"),
        ("json:loads", "is no projections.ReadModel"),
        ("wins", "is none of"),
    ],
)
def test_a_read_model_that_is_none_is_refused(folder: Path, name: str, said: str) -> None:
    answer = ask(folder / "data" / "ledger.db", "replay", "--projection", name)

    assert (answer.status, said in answer.problem) == (2, True), answer.problem


def test_the_view_is_pleasant_to_read(folder: Path) -> None:
    (query,) = re.findall(r'data/ledger.db "(.*)"', PAGE)
    with (
        disposing(open_reader(f"sqlite:///{folder / 'data' / 'ledger.db'}")) as engine,
        engine.connect() as connection,
    ):
        ((recorded, kind, winner),) = connection.exec_driver_sql(query).fetchall()
        row = connection.exec_driver_sql("SELECT * FROM event_log ORDER BY position LIMIT 1").mappings().one()
        stored = connection.exec_driver_sql("SELECT * FROM events ORDER BY position LIMIT 1").mappings().one()

    assert re.fullmatch(r"2025-11-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", recorded)
    assert (kind, winner) == ("game.finished", "bot")
    assert json.loads(row["payload"]) == json.loads(stored["payload"])
    assert row["chain_hash"] == stored["chain_hash"].hex()
