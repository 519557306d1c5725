import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store import Ledger
from tests.projections.sabotage import database
from tests.projections.terminal import ask

MODULE = "read_models_of_ones_own"
FAULTY = "read_models_with_a_fault"
SOURCE = """
from ledger.events import GameFinished
from projections import ReadModel

def count(state, event, entry):
    state.setdefault(event.model_type, {"games": 0, "newest_us": None, "all": True})
    state[event.model_type]["games"] += 1
    state[event.model_type]["newest_us"] = entry.recorded_us
    state[event.model_type]["all"] = False
    return state

games = ReadModel(dict, {GameFinished: count})
number = 7
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the working folder."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    (tmp_path / f"{FAULTY}.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield MODULE
    sys.modules.pop(MODULE, None)
    assert sys.path == before


def test_a_read_model_of_ones_own_is_replayed(example: Path, own: str) -> None:
    words = ("replay", "--to", "100", "--projection", f"{own}:games")

    shown, as_json, as_form = (ask(example, *words, *more) for more in ([], ["--json"], ["--format", "json"]))

    assert as_json.json == {
        "position": 100,
        "state": {"feedforward_nn": {"games": 1, "newest_us": 1_762_157_400_000_000, "all": False}},
    }
    assert as_form == as_json
    assert [line.split() for line in shown.output.splitlines() if line.strip(" ─")] == [
        ["Your", "read", "model", "at", "position", "100"],
        ["what", "value"],
        ["feedforward_nn.games", "1"],
        ["feedforward_nn.newest_us", "2025-11-03T08:10:00.000000Z"],
        ["feedforward_nn.all", "no"],
    ]


def test_before_the_first_event_a_read_model_of_ones_own_has_nothing(ledger: Ledger, own: str) -> None:
    answer = ask(database(ledger), "replay", "--projection", f"{own}:games", "--json")

    assert answer.json == {"position": 0, "state": {}}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nothing", "'nothing' is none of counters, tickers, standings,"),
        ("nothing", "promotion_history, and no module:name"),
        ("no_such_module:x", "no_such_module:x: No module named 'no_such_module'"),
        (f"{MODULE}:other", f"{MODULE}:other: module '{MODULE}' has no attribute 'other'"),
        (f"{MODULE}:number", f"{MODULE}:number is no projections.ReadModel"),
        (f"{FAULTY}:x", f"{FAULTY}:x: importing {FAULTY} raised ZeroDivisionError: division by zero"),
        (":x", "and no module:name"),
        (f".{MODULE}:games", "and no module:name"),
        (f"{MODULE}..inner:games", "and no module:name"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_is_no_read_model_is_refused_for_what_it_is(example: Path, name: str, problem: str) -> None:
    answer = ask(example, "replay", "--projection", name)

    assert (answer.status, answer.output) == (2, "")
    assert problem in " ".join(answer.problem.split())
    assert "Invalid value for '--projection'" in answer.problem


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--to", "7", "--until", "2025-11-04"], "--to and --until say the same thing: give one of them"),
        (
            ["--projection", f"{MODULE}:games", "--metrics-since", "2025-11-04"],
            "a read model of your own takes no --metrics-since",
        ),
    ],
)
@pytest.mark.usefixtures("own")
def test_options_that_do_not_go_together_are_refused(example: Path, options: list[str], problem: str) -> None:
    answer = ask(example, "replay", *options)

    assert (answer.status, answer.output) == (2, "")
    assert f"Error: {problem}\n" in answer.problem
