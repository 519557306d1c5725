"""Every order, killed by kill -9 at each of its steps: the registry comes to equal the ledger, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from gameplay.promotion.operator.execution import execute
from ledger.engines.database import disposing, open_engine
from tests.gameplay.promotion.house import gauges, settled
from tests.gameplay.promotion.operator.killed_program import CASES, by_key, folder_of, house_in

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each order and step, as the killed process left it."""
    folder = tmp_path_factory.mktemp("killed")
    program = [sys.executable, "-m", "tests.gameplay.promotion.operator.killed_program", str(folder)]
    subprocess.run(program, cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize(
    ("name", "step"), [(name, step) for name, case in CASES.items() for step in case.steps], ids=str
)
def test_a_killed_order_is_carried_on_by_the_next_process_once(killed: Path, name: str, step: str) -> None:
    case, folder = CASES[name], folder_of(killed, name, step)
    was_written = step != "before append 1"
    moves = case.before != case.after
    with disposing(open_engine(f"sqlite:///{folder / 'ledger.db'}")) as engine:
        house = house_in(engine, folder)
        assert settled(house.process())

        assert house.aliases() == house.registered() == (case.after if was_written else case.before)
        left = gauges(house)
        assert (left["production_games"] == 0) == (was_written and case.begins_window)
        swaps = left["swaps"]

        done = execute(house.process(), by_key(case.order))

        assert (done.repeated, done.applied) == (was_written, True if moves else None)
        assert house.aliases() == house.registered() == case.after
        now = gauges(house)
        assert now["swaps"] - swaps == (case.begins_window and not was_written)
        assert (now["production_games"] == 0) == case.begins_window
        assert not now["pending"]
