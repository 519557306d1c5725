from pathlib import Path
from typing import Any

import pytest

from ledger.entries import Entry
from ledger.events import Event, GameFinished
from tests.projections.terminal import Answer, ask

FAMILY = "feedforward_nn"
PAIR = ("--model-type", FAMILY, "--versions", "1,2")


def compared(example: Path, *more: str) -> dict[str, Any]:
    answer = ask(example, "compare-versions", *PAIR, *more, "--json")
    assert answer.status == 0
    found: dict[str, Any] = answer.json
    return found


def games(events: list[tuple[Entry, Event]], version: int, *kinds: str) -> tuple[int, int]:
    """(games, wins) that are evidence."""
    finished = [
        event
        for _, event in events
        if isinstance(event, GameFinished)
        and (event.model_type, event.model_version) == (FAMILY, version)
        and event.in_metrics
        and not event.fallback_affected
        and (not kinds or event.player_kind in kinds)
    ]
    return len(finished), sum(event.winner == "bot" for event in finished)


def sides(found: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [(found[side]["version"], found[side]["games"], found[side]["wins"]) for side in ("production", "b")]


def test_all_games_of_two_versions_are_compared(example: Path, events: list[tuple[Entry, Event]]) -> None:
    found = compared(example)

    assert sides(found) == [(1, *games(events, 1)), (2, *games(events, 2))]
    assert min(games(events, 1)[0], games(events, 2)[0]) > 3
    difference = games(events, 2)[1] / games(events, 2)[0] - games(events, 1)[1] / games(events, 1)[0]
    assert found["statistics"]["difference"] == pytest.approx(difference)
    assert [verdict["rule"] for verdict in found["verdicts"]] == ["ztest/1", "anytime-sign/1"]


def test_the_other_order_is_the_other_question(example: Path) -> None:
    forward = compared(example)
    backward = ask(example, "compare-versions", "--model-type", FAMILY, "--versions", "2,1", "--json").json

    assert sides(backward) == sides(forward)[::-1]
    assert backward["statistics"]["difference"] == pytest.approx(-forward["statistics"]["difference"])


def test_games_are_narrowed_by_the_kind_of_player(example: Path, events: list[tuple[Entry, Event]]) -> None:
    human, bot = compared(example, "--player-kind", "human"), compared(example, "--player-kind", "bot")

    assert sides(human) == [(version, *games(events, version, "human")) for version in (1, 2)]
    both = compared(example, "--player-kind", "human", "--player-kind", "bot")
    assert both["b"]["games"] == human["b"]["games"] + bot["b"]["games"]


def test_games_are_narrowed_by_time(example: Path) -> None:
    noon = "2025-11-05T12:00:00Z"

    before, after, whole = (
        compared(example, "--until", noon),
        compared(example, "--since", noon),
        compared(example),
    )

    for side in ("production", "b"):
        assert before[side]["games"] + after[side]["games"] == whole[side]["games"]
    assert 0 < before["production"]["games"] < whole["production"]["games"]


def test_versions_without_games_have_nothing_to_compare(example: Path) -> None:
    found = ask(example, "compare-versions", "--model-type", FAMILY, "--versions", "77,78", "--json").json

    assert sides(found) == [(77, 0, 0), (78, 0, 0)]
    assert found["statistics"]["difference"] is None
    assert {verdict["decision"] for verdict in found["verdicts"]} == {"insufficient_data"}


def test_a_person_sees_both_sides_and_a_warning(example: Path) -> None:
    answer = ask(example, "compare-versions", *PAIR)

    assert answer.status == 0
    assert "v1" in answer.output
    assert "What the games say, and each rule" in answer.output
    assert "fair coin" in answer.problem


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--versions", "1"), "no pair of versions"),
        (("--versions", "1,2,3"), "no pair of versions"),
        (("--versions", "1,1"), "with itself"),
        (("--versions", "0,1"), "--versions"),
        (("--versions", "1,x"), "--versions"),
        (("--versions", "1,2", "--since", "tomorrow"), "tomorrow"),
        (("--versions", "1,2", "--alpha", "1"), "--alpha"),
        (("--versions", "1,2", "--player-kind", "robot"), "--player-kind"),
        ((), "--versions"),
    ],
)
def test_a_bad_option_is_one_clear_sentence(example: Path, arguments: tuple[str, ...], problem: str) -> None:
    answer: Answer = ask(example, "compare-versions", "--model-type", FAMILY, *arguments)

    assert answer.status == 2
    assert problem in answer.problem
