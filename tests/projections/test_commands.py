from pathlib import Path

import pytest

from projections.rules import KNOWN_RULES
from tests.projections.terminal import ask, on_terminal


def test_what_if_lists_the_swaps_of_both_histories_with_their_times(example: Path) -> None:
    """A swap that both make has no line among the cycles that differ."""
    output = ask(example, "what-if", "--alpha", "0.05").output

    lines = [line.split() for line in output.splitlines()]
    swaps = {(line[0], line[-1]) for line in lines if "->" in line}
    assert {("1,590", "both"), ("2,859", "actual"), ("3,456", "otherwise")} <= swaps
    assert ["1,590", "2025-11-04", "09:01", "xgboost", "v1", "->", "v2", "both"] in lines


def test_what_if_says_what_its_rates_rest_on_and_where_it_guesses(example: Path) -> None:
    answer = ask(example, "what-if", "--alpha", "0.05")

    outcomes = {
        one["model_type"]: one for one in ask(example, "what-if", "--alpha", "0.05", "--json").json["outcomes"]
    }
    limit = outcomes["multinomial_logistic"]["exact_until"]
    assert f"up to {limit:,}" in answer.output
    assert f"after position {limit:,} " in answer.output
    assert "v2 won 2 of 4" in answer.output
    assert "fewer than 10 games say little: v2\n" in answer.output
    assert "1 game of others" in answer.output
    for one in outcomes.values():
        assert one["time"]["whole_seconds"] == one["otherwise_time"]["whole_seconds"]


def test_what_if_takes_every_rule_by_its_name(example: Path) -> None:
    answers = [ask(example, "what-if", "--rule", name) for name in KNOWN_RULES]

    assert [answer.status for answer in answers] == [0, 0]
    assert "(rule = anytime-sign/1)" in answers[1].output


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("command", ["decisions", "what-if --rule anytime-sign/1"])
def test_a_row_is_a_line_on_a_terminal_of_any_width(example: Path, command: str, columns: int) -> None:
    shown = on_terminal(columns, "--database", f"sqlite:///{example}", *command.split())

    rows = [line for line in shown.splitlines() if " multinomial_logistic " in line and ": " not in line]
    assert rows
    assert all(len(line.rstrip()) <= columns for line in rows)
    assert all(line.split()[0].replace(",", "").isdecimal() or line.startswith(" multi") for line in rows)
    assert ("p so far" in shown) == (command == "decisions" and columns == 160)
