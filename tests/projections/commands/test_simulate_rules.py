import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from projections.decision.rules import ANYTIME_SIGN, KNOWN_RULES, Z_TEST
from tests.projections.terminal import Answer, ask

ROOT = Path(__file__).parents[3]
PICTURES = ("false-swaps", "right-swaps")
SMALL = ("--runs", "200", "--cycles", "120")
PICTURES_OF_THE_DOCS = ("simulate-rules", "--b-win-rate", "0.6", "--plot")


def simulated(tmp_path: Path, *arguments: str) -> Answer:
    """No ledger is there, and none is needed."""
    return ask(tmp_path / "none.db", "simulate-rules", *SMALL, *arguments)


def as_json(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    answer = simulated(tmp_path, *arguments, "--json")
    assert answer.status == 0
    found: list[dict[str, Any]] = answer.json
    return found


def test_every_rule_is_shown_for_equal_and_for_better_versions(tmp_path: Path) -> None:
    answer = simulated(tmp_path)

    assert answer.status == 0
    titles = [line for line in answer.output.splitlines() if "games a cycle" in line]
    assert [title.split(":")[0] for title in titles] == ["Equally good", *["B better"] * 3]
    assert "false swap by 100" in answer.output
    assert "right swap by 120" in answer.output
    assert answer.output.count(Z_TEST) == answer.output.count(ANYTIME_SIGN) == 4 * 3


def test_rates_games_rules_and_alphas_are_the_caller_s(tmp_path: Path) -> None:
    equal, better, worse = as_json(
        tmp_path,
        *("--win-rate", "0.4", "--b-win-rate", "0.5", "--b-win-rate", "0.3", "--games", "7"),
        *("--alpha", "0.10", "--rule", Z_TEST, "--minimum-games", "9", "--seed", "5"),
    )

    assert [one["b_rate"] for one in (equal, better, worse)] == [0.4, 0.5, 0.3]
    assert {
        (one["production_rate"], one["games"], one["runs"], one["cycles"], one["seed"]) for one in (equal, better)
    } == {(0.4, 7, 200, 120, 5)}
    ((by,), (right,), (wrong,)) = (one["rules"] for one in (equal, better, worse))
    assert (by["rule"], by["alpha"], by["minimum_games"]) == (Z_TEST, "0.10", 9)
    assert by["false_swap"]["100"]["lower"] < by["false_swap"]["100"]["value"] < by["false_swap"]["100"]["upper"]
    assert by["right_swap"]["120"]["value"] == 0
    assert right["cycles_to_right_swap"]["0.5"]["value"] > 1
    assert wrong["share_of_cycles_with_the_better_version"] > 0.5


def test_the_same_seed_gives_the_same_output(tmp_path: Path) -> None:
    once, again, other = (simulated(tmp_path, "--seed", seed).output for seed in ("1", "1", "2"))

    assert once == again != other


def test_there_is_no_better_b_than_one_that_always_wins(tmp_path: Path) -> None:
    assert [one["b_rate"] for one in as_json(tmp_path, "--win-rate", "0.95", "--rule", Z_TEST)] == [0.95, 1.0]


def test_what_was_not_reached_is_said_to_take_longer(tmp_path: Path) -> None:
    arguments = ("--b-win-rate", "0.51", "--rule", ANYTIME_SIGN, "--alpha", "0.01")

    assert "> 120" in simulated(tmp_path, *arguments).output
    assert as_json(tmp_path, *arguments)[1]["rules"][0]["cycles_to_right_swap"]["0.5"]["value"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--alpha", "1"), "decimal between 0 and 1"),
        (("--alpha", "1e-400"), "decimal between 0 and 1"),
        (("--alpha", "nan"), "decimal between 0 and 1"),
        (("--win-rate", "1.01"), "--win-rate"),
        (("--win-rate", "nan"), "--win-rate"),
        (("--b-win-rate", "nan"), "--b-win-rate"),
        (("--rule", "ztest/2"), "ztest/1"),
        (("--games", "0"), "--games"),
        (("--cycles", "0"), "--cycles"),
        (("--runs", "1"), "--runs"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_a_bad_option_is_one_clear_sentence(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    answer = simulated(tmp_path, *arguments)

    assert answer.status == 2
    assert problem in answer.problem
    assert answer.output == ""


def test_both_pictures_are_drawn_as_png_and_svg(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "plots"

    answer = simulated(tmp_path, "--plot", str(folder))

    assert answer.status == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.{ending}" for name in PICTURES for ending in ("png", "svg")
    )
    for name in PICTURES:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        drawn = (folder / f"{name}.svg").read_text("utf-8")
        assert all(f"{rule}, alpha 0.20" in drawn for rule in KNOWN_RULES)


def test_a_picture_is_not_drawn_over_another_one(tmp_path: Path) -> None:
    (tmp_path / "right-swaps.svg").write_text("mine")

    answer = simulated(tmp_path, "--plot", str(tmp_path))

    assert answer.status == 2
    assert "exists already" in answer.problem
    assert [path.name for path in tmp_path.iterdir()] == ["right-swaps.svg"]
    assert (tmp_path / "right-swaps.svg").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    answer = simulated(tmp_path, "--plot", str(tmp_path / "file" / "plots"))

    # Nothing was simulated: that takes minutes where it is meant in earnest.
    assert (answer.status, answer.output) == (2, "")
    assert "cannot write into the folder" in answer.problem


def test_pictures_are_drawn_where_no_version_is_better(tmp_path: Path) -> None:
    assert simulated(tmp_path, "--b-win-rate", "0.4", "--plot", str(tmp_path / "plots")).status == 0


def test_the_command_loads_no_model_library(tmp_path: Path) -> None:
    program = (
        "import json, sys\n"
        "from projections.cli import rps_audit\n"
        "before = set(sys.modules)\n"
        "rps_audit(sys.argv[1:], standalone_mode=False)\n"
        "print(json.dumps([sorted(before), sorted(sys.modules)]))"
    )
    arguments = ("simulate-rules", "--runs", "10", "--cycles", "2", "--plot", str(tmp_path / "plots"))
    run = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, cwd=ROOT)
    before, after = (set(names) for names in json.loads(run.stdout.splitlines()[-1]))

    assert not before & {"numpy", "scipy", "matplotlib"}
    assert {"numpy", "matplotlib"} <= after
    assert not after & {"mlflow", "sklearn", "xgboost", "onnxruntime", "scipy", "matplotlib.pyplot"}


def test_the_docs_say_how_their_pictures_were_made() -> None:
    page = (ROOT / "docs" / "statistics.md").read_text("utf-8")

    assert f"rps-audit {' '.join(PICTURES_OF_THE_DOCS)}" in page
    assert [name for name in PICTURES if f"(images/{name}.svg)" not in page] == []


@pytest.mark.stats
def test_the_pictures_of_the_docs_are_the_tool_s(tmp_path: Path) -> None:
    ask(tmp_path / "none.db", *PICTURES_OF_THE_DOCS, str(tmp_path))

    for name in PICTURES:
        drawn = (tmp_path / f"{name}.svg").read_text("utf-8")
        assert (ROOT / "docs" / "images" / f"{name}.svg").read_text("utf-8") == drawn
