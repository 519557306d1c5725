from itertools import product

import pytest
from msgspec.structs import asdict, fields, replace

from ledger.events import EVENT_TYPES, Event
from ledger.vocabulary import (
    ALIASES,
    BOTS,
    DECISIONS,
    FALLBACK_REASONS,
    FAMILIES,
    FAMILY_OF_POLICY,
    PLAYED_ALIASES,
    REASON_CODES,
    TRAINING_STATUSES,
)
from projections.errors import ProjectionError
from projections.read_models import counters, open_games, standings, tickers
from projections.read_models.counters import TRAINING_BUCKETS_SECONDS, Counters, Durations
from tests.builders import (
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    fell_back,
    game_abandoned,
    game_finished,
    game_started,
    one_of_each,
    prediction_made,
    report,
    round_played,
    training_completed,
)
from tests.projections.stories import BEGIN_US, SECOND_US, folded

FAMILY = "feedforward_nn"
BRIAN = ("brian", "standard")
BRIANS_ROUNDS = ("brian", "standard", FAMILY)
SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}
SWAPPED = assignments((1, 2, 3, 4), (2, 1, 3, 4))


def counted(*events: Event) -> Counters:
    return folded(counters.projection(0), *events)


def without_events(state: Counters) -> dict[str, object]:
    return {name: value for name, value in asdict(state).items() if name != "events"}


def test_every_known_label_combination_is_zero_from_the_start() -> None:
    opponents = [*FAMILY_OF_POLICY, *BOTS]
    models = [*FAMILY_OF_POLICY.values(), *["scripted"] * len(BOTS)]
    actions = {(policy, "standard", model) for policy, model in zip(opponents, models, strict=True)}
    expected = {
        "events": set(EVENT_TYPES),
        "predictions": set(product(FAMILIES, ALIASES)),
        "correct": set(product(FAMILIES, ALIASES)),
        "alias_games": set(product(FAMILIES, PLAYED_ALIASES)),
        "alias_wins": set(product(FAMILIES, PLAYED_ALIASES)),
        "decisions": set(product(FAMILIES, DECISIONS)),
        "reasons": set(product(FAMILIES, DECISIONS, REASON_CODES)),
        "reorders": set(FAMILIES),
        "action_predictions": actions,
        "action_wins": actions,
        "action_losses": actions,
        "action_ties": actions,
        "games": set(product(opponents, ["standard"])),
        "game_wins": set(product(opponents, ["standard"])),
        "game_losses": set(product(opponents, ["standard"])),
        "trainings": set(product(FAMILIES, TRAINING_STATUSES)),
        "training_durations": set(FAMILIES),
        "fallbacks": set(product(FAMILIES, ALIASES, FALLBACK_REASONS)),
        "decision_movers": set(),
        "reorder_movers": set(),
    }

    state = counted()

    assert {one.name for one in fields(Counters)} == set(expected)
    for name, labels in expected.items():
        assert set(getattr(state, name)) == labels, name
        assert all(value in (0, Durations()) for value in getattr(state, name).values()), name


def test_no_event_adds_a_label_combination() -> None:
    before, after = asdict(counted()), asdict(counted(*one_of_each()))
    movers = {name: after.pop(name) for name in ("decision_movers", "reorder_movers")}

    assert {name: list(value) for name, value in before.items() if name not in movers} == {
        name: list(value) for name, value in after.items()
    }
    assert movers["decision_movers"].keys() <= after["decisions"].keys()
    assert movers["reorder_movers"].keys() <= after["reorders"].keys()


def test_predictions_are_counted_by_alias() -> None:
    state = counted(
        prediction_made(alias="B", correct=True, served=True),
        prediction_made(alias="B", correct=False, served=False),
        prediction_made(alias="shadow2", correct=False),
    )

    assert state.predictions[FAMILY, "B"] == 2
    assert state.correct[FAMILY, "B"] == 1
    assert state.predictions[FAMILY, "shadow2"] == 1
    assert sum(state.predictions.values()) == 3
    assert sum(state.correct.values()) == 1


def test_rounds_are_counted_from_the_bots_side() -> None:
    state = counted(
        round_played(result="lose"),
        round_played(result="lose"),
        round_played(result="win"),
        round_played(result="draw", probability_source="opening"),
        round_played(result="draw", probability_source="uniform"),
    )

    assert state.action_wins[BRIANS_ROUNDS] == 2
    assert state.action_losses[BRIANS_ROUNDS] == 1
    assert state.action_ties[BRIANS_ROUNDS] == 2
    assert state.action_predictions[BRIANS_ROUNDS] == 3


def test_games_are_counted_from_the_bots_side() -> None:
    state = counted(
        game_finished(winner="bot", alias="B"),
        game_finished(winner="user", alias="B"),
        game_finished(winner="tie", alias="Production"),
    )

    assert (state.games[BRIAN], state.game_wins[BRIAN], state.game_losses[BRIAN]) == (3, 1, 1)
    assert (state.alias_games[FAMILY, "B"], state.alias_wins[FAMILY, "B"]) == (2, 1)
    assert (state.alias_games[FAMILY, "Production"], state.alias_wins[FAMILY, "Production"]) == (1, 0)


def test_an_abandoned_game_is_no_game() -> None:
    assert sum(counted(game_started(), round_played(), game_abandoned()).games.values()) == 0


def test_a_game_begun_before_a_swap_counts_under_the_alias_that_it_started_with() -> None:
    recorded: list[Event] = [
        game_started(game_id="old", alias="B", model_version=2, swap_count=0),
        aliases_assigned(swapped=True, assignments=SWAPPED),
        game_finished(game_id="old", alias="B", model_version=2, swap_count=0, winner="bot"),
    ]

    assert counted(*recorded).alias_games[FAMILY, "B"] == 1
    assert counted(*recorded).alias_wins[FAMILY, "B"] == 1
    assert folded(tickers.projection(), *recorded).windows[FAMILY].scores["B"].games == 0


@pytest.mark.parametrize(
    "test_game",
    [
        prediction_made(in_metrics=False),
        round_played(in_metrics=False),
        game_finished(in_metrics=False),
        fell_back(in_metrics=False),
        game_started(in_metrics=False),
        game_abandoned(in_metrics=False),
    ],
)
def test_a_test_game_is_in_no_counter_but_that_of_events(test_game: Event) -> None:
    state = counted(test_game)

    assert without_events(state) == without_events(Counters())
    assert sum(state.events.values()) == 1


def test_a_fallback_affected_game_is_a_game_and_no_evidence() -> None:
    recorded = (game_started(), game_finished(fallback_affected=True, winner="bot"))

    assert counted(*recorded).games[BRIAN] == 1
    assert counted(*recorded).alias_wins[FAMILY, "Production"] == 1
    assert folded(tickers.projection(), *recorded).windows[FAMILY].scores == tickers.Window().scores
    assert folded(standings.projection(), *recorded) == standings.PromotionStates()


def test_a_scripted_opponent_moves_no_models_series() -> None:
    state = counted(
        game_started(**SCRIPTED, assignment=None),
        round_played(**SCRIPTED, result="lose", probability_source="scripted"),
        game_finished(**SCRIPTED, winner="bot"),
    )

    assert state.games["gus", "standard"] == 1
    assert state.game_wins["gus", "standard"] == 1
    assert state.action_wins["gus", "standard", "scripted"] == 1
    for untouched in ("predictions", "correct", "alias_games", "alias_wins", "action_predictions", "fallbacks"):
        assert not any(getattr(state, untouched).values()), untouched


def test_fallbacks_are_counted_by_reason() -> None:
    state = counted(fell_back(reason="load_error", alias="B"), fell_back(reason="load_error", alias="B"))

    assert state.fallbacks[FAMILY, "B", "load_error"] == 2
    assert sum(state.fallbacks.values()) == 2


@pytest.mark.parametrize("decision", ["swap_production_b", "retain_production", "insufficient_data"])
def test_a_decision_is_counted_when_it_is_made(decision: str) -> None:
    state = counted(cycle_decided(decision=decision), aliases_planned())

    assert state.decisions[FAMILY, decision] == 1
    assert sum(state.decisions.values()) == 1


def test_a_reorder_is_counted_when_it_is_executed_beside_the_cycles_own_decision() -> None:
    decided = cycle_decided(decision="retain_production", reordered=True)
    planned = aliases_planned(swapped=False, reordered=True)
    assigned = aliases_assigned(cause="promotion", reordered=True, plan=2, cycle=1)

    assert counted(decided, planned).decisions[FAMILY, "alias_reorder"] == 0
    state = counted(decided, planned, assigned)
    assert state.decisions[FAMILY, "retain_production"] == 1
    assert state.decisions[FAMILY, "alias_reorder"] == 1
    assert state.reorders[FAMILY] == 1
    assert sum(state.decisions.values()) == 2


def test_a_report_whose_decision_is_a_reorder_counts_once() -> None:
    state = counted(
        cycle_decided(decision="alias_reorder", trigger="report", report=report(), reordered=True),
        aliases_assigned(cause="report", cycle=1, reordered=True),
    )

    assert state.decisions[FAMILY, "alias_reorder"] == 1
    assert sum(state.decisions.values()) == 1
    assert state.reorders[FAMILY] == 1


def test_a_swap_counts_where_it_is_decided_and_not_where_it_is_executed() -> None:
    state = counted(
        cycle_decided(decision="swap_production_b"),
        aliases_planned(),
        aliases_assigned(swapped=True, plan=2, cycle=1, assignments=SWAPPED),
        aliases_assigned(cause="registry", swapped=True, assignments=SWAPPED),
    )

    assert state.decisions[FAMILY, "swap_production_b"] == 1
    assert sum(state.reorders.values()) == 0


def test_trainings_are_counted_by_status_and_duration() -> None:
    durations = (0.0, 10.0, 10.5, 3600.0, 3600.1, None)

    state = counted(
        *(training_completed(duration_seconds=duration) for duration in durations),
        training_completed(status="failure", model_version=None, holdout_accuracy=None, duration_seconds=59.0),
    )

    assert state.trainings[FAMILY, "success"] == 6
    assert state.trainings[FAMILY, "failure"] == 1
    histogram = state.training_durations[FAMILY]
    assert len(histogram.counts) == len(TRAINING_BUCKETS_SECONDS) + 1
    assert histogram.counts == [2, 1, 1, 0, 0, 0, 0, 1, 1]
    assert histogram.sum_seconds == pytest.approx(7279.6)


def test_events_are_counted_by_type() -> None:
    assert counted(*one_of_each()).events == dict.fromkeys(EVENT_TYPES, 1)


def test_older_events_are_left_out_of_the_counters_by_their_time() -> None:
    recorded = [*one_of_each(), *one_of_each()]
    cut_us = BEGIN_US + len(one_of_each()) * SECOND_US

    assert numbers(folded(counters.projection(cut_us), *recorded)) == numbers(counted(*one_of_each()))
    assert folded(counters.projection(cut_us + 1), *recorded).events["game.started"] == 0
    assert folded(counters.projection(BEGIN_US + 10**12), *recorded) == Counters()


def numbers(state: Counters) -> Counters:
    """Without the positions that moved them."""
    return replace(state, decision_movers={}, reorder_movers={})


def test_the_cut_is_a_setting_of_the_counters_alone() -> None:
    assert counters.projection(1).settings != counters.projection(2).settings
    assert {one.projection().settings for one in (tickers, standings, open_games)} == {""}


def test_an_impossible_label_is_refused_when_it_is_folded() -> None:
    with pytest.raises(ProjectionError, match="counters knows no 'brian/standard/xgboost'"):
        counted(round_played(policy="brian", model_type="xgboost"))
