from typing import Any

import pytest

from ledger.events import AliasesAssigned, Event
from projections.read_models import tickers
from projections.read_models.tickers import Window
from tests.builders import (
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    game_abandoned,
    game_finished,
    game_started,
    prediction_made,
    report,
    tally,
)
from tests.projections.stories import BEGIN_US, SECOND_US, folded

FAMILY = "feedforward_nn"


def window(*events: Event) -> Window:
    return folded(tickers.projection(), *events).windows[FAMILY]


def swap(**changes: Any) -> AliasesAssigned:
    swapped = {"assignments": assignments((1, 2, 3, 4), (2, 1, 3, 4)), "swapped": True, "cause": "promotion"}
    return aliases_assigned(**{**swapped, **changes})


def test_finished_games_and_their_wins_are_counted_by_alias() -> None:
    found = window(
        game_finished(alias="Production", winner="bot"),
        game_finished(alias="Production", winner="user"),
        game_finished(alias="Production", winner="tie"),
        game_finished(alias="B", winner="bot"),
    )

    assert found.scores == {"Production": tally(1, 3), "B": tally(1, 1)}


@pytest.mark.parametrize(
    "no_evidence",
    [
        game_started(),
        game_abandoned(),
        prediction_made(),
        game_finished(in_metrics=False),
        game_finished(fallback_affected=True),
        game_finished(swap_count=1),
        game_finished(model_type="xgboost", policy="forrest"),
        game_finished(model_type="scripted", policy="gus", alias=None, model_version=None),
    ],
)
def test_what_is_no_evidence_moves_no_ticker_of_the_family(no_evidence: Event) -> None:
    found = window(no_evidence)

    assert (found.scores, found.cycles, found.swap_count) == (Window().scores, 0, 0)


def test_a_window_keeps_what_the_guards_watch() -> None:
    """Games assigned under each split, and those in which a fallback chose a move; neither is a ticker."""
    uneven = {"alias": "B", "assignment_probability": 0.3}

    found = window(
        game_started(),
        game_started(alias="B"),
        game_started(**uneven),
        game_started(assignment_probability=0.7),
        game_started(in_metrics=False),
        game_started(swap_count=1),
        game_finished(alias="B", fallback_affected=True),
        game_finished(fallback_affected=True, in_metrics=False),
        game_finished(fallback_affected=True, swap_count=1),
    )

    assert found.splits == {0.5: {"Production": 1, "B": 1}, 0.3: {"Production": 1, "B": 1}}
    assert found.fallbacks == {"Production": 0, "B": 1}
    assert window(game_started(), aliases_assigned(swapped=True)).splits == {}


def test_a_scripted_opponents_game_moves_no_familys_ticker() -> None:
    scripted = game_finished(model_type="scripted", policy="gus", alias=None, model_version=None)

    assert folded(tickers.projection(), scripted) == tickers.Tickers()


def test_a_swap_opens_a_new_window() -> None:
    found = window(
        aliases_assigned(),
        game_finished(alias="B", winner="bot"),
        cycle_decided(),
        aliases_planned(),
        swap(),
    )

    assert found == Window(swap_count=1, since_position=5, last_swap_us=BEGIN_US + 4 * SECOND_US)


@pytest.mark.parametrize("cause", ["promotion", "training", "manual", "report", "registry"])
def test_a_swap_is_a_swap_whatever_its_cause(cause: str) -> None:
    assert window(game_finished(), swap(cause=cause)).swap_count == 1


def test_a_game_begun_before_a_swap_does_not_count_in_the_new_window() -> None:
    found = window(
        game_started(game_id="old", alias="B", swap_count=0),
        swap(),
        game_started(game_id="new", alias="B", swap_count=1),
        game_finished(game_id="old", alias="B", swap_count=0, winner="bot"),
        game_finished(game_id="new", alias="B", swap_count=1, winner="user"),
    )

    assert found.scores["B"] == tally(0, 1)


def test_a_swap_of_one_family_leaves_the_others_alone() -> None:
    state = folded(
        tickers.projection(), game_finished(), game_finished(model_type="xgboost"), swap(model_type="xgboost")
    )

    assert state.windows[FAMILY].scores["Production"].games == 1
    assert state.windows["xgboost"].scores["Production"].games == 0


@pytest.mark.parametrize(
    "no_swap",
    [
        aliases_assigned(),
        aliases_planned(swapped=True),
        aliases_assigned(cause="promotion", reordered=True, assignments=assignments((1, 2, 3, 4), (1, 4, 2, 3))),
        aliases_assigned(cause="training", assignments=assignments((1, 2, 3, 4), (1, 2, 3, 5))),
        cycle_decided(decision="swap_production_b"),
    ],
)
def test_nothing_but_an_executed_swap_goes_back_to_zero(no_swap: Event) -> None:
    before = (game_finished(), game_finished(alias="B"), cycle_decided(decision="retain_production"))

    found = window(*before, no_swap)

    assert found.scores == {"Production": tally(0, 1), "B": tally(0, 1)}
    assert found.swap_count == 0
    assert found.since_position == 0
    assert found.cycles >= 1


def test_every_cycle_advances_the_cycles() -> None:
    found = window(
        cycle_decided(decision="insufficient_data"),
        cycle_decided(decision="retain_production", reordered=True),
        cycle_decided(decision="alias_reorder", trigger="report", report=report()),
    )

    assert found.cycles == 3
    assert window(cycle_decided(), swap(), cycle_decided()).cycles == 1
