from pathlib import Path

import pytest

from tests.projections.terminal import ask


def test_the_decisions_that_are_shown_are_chosen_and_all_are_checked(example: Path) -> None:
    every = ask(example, "decisions", "--json").json["decisions"]
    since, until = every[10]["recorded"], every[20]["recorded"]

    shown = ask(example, "decisions", "--json", "--since", since, "--until", until).json["decisions"]
    assert shown == every[10:21]
    for word in ("swap_production_b", "alias_reorder"):
        shown = ask(example, "decisions", "--json", "--decision", word).json["decisions"]
        assert 0 < len(shown) < len(every)
        assert all(one["decision"] == word or (word == "alias_reorder" and one["reordered"]) for one in shown)
    answer = ask(example, "decisions", "--decision", "swap_production_b")
    assert "other ones are checked and not shown" in answer.output
    assert f"{len(every)} of {len(every)} decisions agree" in answer.output


def test_a_limit_holds_for_json_too(example: Path) -> None:
    every, two = (ask(example, "decisions", "--json", *more).json for more in ((), ("--limit", "2")))

    assert len(every["decisions"]) > 50
    assert two == {**every, "decisions": every["decisions"][-2:]}


@pytest.mark.parametrize(
    "words", [("decisions",), ("compare-versions", "--model-type", "xgboost", "--versions", "1,2")]
)
def test_times_the_wrong_way_round_are_refused(example: Path, words: tuple[str, ...]) -> None:
    answer = ask(example, *words, "--since", "2025-11-06", "--until", "2025-11-05")

    assert (answer.status, answer.output) == (2, "")
    assert answer.problem == "--since is later than --until: nothing is between them"


def test_one_decision_is_shown_in_full(example: Path) -> None:
    one = next(
        one
        for one in ask(example, "decisions", "--json").json["decisions"]
        if one["reordered"] and one["event"]["evidence"]
    )

    said = ask(example, "decisions", "--position", f"{one['position']:,}").output

    flat = " ".join(said.split())
    assert one["reason"] in flat
    assert f"rule: name {one['rule']}" in flat
    assert "derived again, it agrees" in flat
    assert all(
        f"{ranked['rank']} {ranked['alias']} {ranked['version']}" in flat for ranked in one["event"]["ranking"]
    )


@pytest.mark.parametrize("words", [["--position", "1"], ["--position", "999999"]])
def test_a_position_without_a_decision_is_refused(example: Path, words: list[str]) -> None:
    answer = ask(example, "decisions", *words)

    assert (answer.status, "is no promotion cycle" in answer.problem) == (2, True)
