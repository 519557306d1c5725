import pytest

from ledger.events import Event
from ledger.evidence import ParityFound, Tally
from ledger.reported import ReportedRanking
from ledger.vocabulary import Cause, Decision, EvidenceWindow
from projections.read_models import standings
from projections.read_models.standings import VERSIONS_KEPT, Evaluation, PromotionState, PromotionStates, Record
from tests.builders import (
    FIRST_VERSIONS,
    Versions,
    aliases_assigned,
    aliases_planned,
    assignment,
    assignments,
    cycle_decided,
    game_finished,
    parity_checked,
    prediction_made,
    ranking,
    report,
    rule,
    rule_set,
    statistics,
    training_completed,
    verdicts,
)
from tests.projections.stories import BEGIN_US, SECOND_US, folded

FAMILY = "feedforward_nn"
SWAPPED = assignments((1, 2, 3, 4), (2, 1, 3, 4))
SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}


def promotion(*events: Event) -> PromotionState:
    return folded(standings.projection(), *events).families[FAMILY]


def test_a_family_has_no_aliases_before_its_first_assignment() -> None:
    assert promotion().assignment() is None
    assert promotion(aliases_planned(), cycle_decided()).assignment() is None


def test_the_assignment_is_the_last_recorded_one() -> None:
    moved = aliases_assigned(assignments=assignments((1, 2, 3, 4), (1, 5, 2, 3)))

    assert promotion(aliases_assigned()).assignment() == assignment((1, 2, 3, 4))
    assert promotion(aliases_assigned(), moved).assignment() == assignment((1, 5, 2, 3))


def test_a_plan_moves_no_alias() -> None:
    assert promotion(aliases_assigned(), aliases_planned()).assignment() == assignment((1, 2, 3, 4))


def test_predictions_are_counted_by_version() -> None:
    found = promotion(
        prediction_made(alias="B", model_version=2, correct=True),
        prediction_made(alias="shadow1", model_version=2, correct=False),
        prediction_made(alias="Production", model_version=1, correct=False),
    )

    assert found.records == {
        2: Record(predictions=2, correct=1, human_predictions=2, human_correct=1),
        1: Record(predictions=1, human_predictions=1),
    }
    assert found.record(9) == Record()


def test_games_are_counted_by_version() -> None:
    found = promotion(
        game_finished(alias="Production", model_version=1, winner="bot"),
        game_finished(alias="B", model_version=2, winner="tie"),
        game_finished(alias="B", model_version=1, winner="user"),
        game_finished(alias="B", model_version=2, winner="bot", player_kind="bot"),
    )

    assert found.records == {
        1: Record(games=2, wins=1, human=Tally(games=2, wins=1)),
        2: Record(games=2, wins=1, human=Tally(games=1, wins=0)),
    }


@pytest.mark.parametrize(
    "no_evidence",
    [
        prediction_made(in_metrics=False),
        prediction_made(model_type="xgboost"),
        game_finished(in_metrics=False),
        game_finished(fallback_affected=True),
        game_finished(swap_count=1),
        game_finished(model_version=None),
        game_finished(model_type="xgboost"),
        game_finished(**SCRIPTED),
    ],
)
def test_what_is_no_evidence_makes_no_record(no_evidence: Event) -> None:
    assert promotion(no_evidence).records == {}


def test_a_scripted_opponents_game_changes_no_familys_state() -> None:
    assert folded(standings.projection(), game_finished(**SCRIPTED)) == PromotionStates()


def test_records_begin_again_with_a_swap_alone() -> None:
    shown: list[Event] = [aliases_assigned(), prediction_made(), game_finished()]
    reordered = aliases_assigned(reordered=True, assignments=assignments((1, 2, 3, 4), (1, 3, 2, 4)))
    swapped = aliases_assigned(swapped=True, assignments=SWAPPED)

    assert promotion(*shown, cycle_decided(), aliases_planned(), reordered).records != {}
    assert promotion(*shown, swapped).records == {}
    assert promotion(*shown, swapped, game_finished(swap_count=0)).records == {}
    assert promotion(*shown, swapped, game_finished(swap_count=1)).records == {
        1: Record(games=1, human=Tally(games=1, wins=0))
    }


def test_a_plan_is_open_until_an_assignment_names_it() -> None:
    given: list[Event] = [aliases_assigned(), cycle_decided(), aliases_planned()]
    registry = aliases_assigned(cause="registry", plan=None)
    other = aliases_assigned(cause="promotion", plan=2)
    completion = aliases_assigned(cause="promotion", plan=3, swapped=True, assignments=SWAPPED)

    opened = promotion(*given).plan
    assert opened is not None
    assert (opened.version, opened.cause, opened.cycle, opened.swapped) == (3, "promotion", 1, True)
    assert opened.assignments == SWAPPED
    assert promotion(*given, registry).plan == opened
    assert promotion(*given, other).plan == opened
    assert promotion(*given, completion).plan is None


def test_the_stream_version_counts_the_familys_own_events() -> None:
    others = (cycle_decided(model_type="xgboost"), prediction_made(), training_completed())

    assert promotion(*others).stream_version == 0
    assert promotion(aliases_assigned(), *others, cycle_decided(cycle=4)).stream_version == 2
    assert promotion(cycle_decided(cycle=4)).cycle == 4


def test_the_evaluation_is_the_last_cycles() -> None:
    tested = cycle_decided(
        z_statistic=1.5, p_value=0.07, statistics=statistics(log_e=0.5, games_needed=140), verdicts=verdicts()
    )
    untested = cycle_decided(z_statistic=None, p_value=None, statistics=None, verdicts=())

    swap: Decision = "swap_production_b"
    assert promotion().evaluation is None
    assert promotion(tested).evaluation == Evaluation(
        BEGIN_US, 1.5, 0.07, 0.5, 140, {"ztest/1": swap, "anytime-sign/1": swap}, "better"
    )
    assert promotion(tested, untested).evaluation == Evaluation(
        BEGIN_US + SECOND_US, None, None, None, None, {}, "better"
    )


def test_the_largest_e_is_that_of_the_looks_since_the_last_swap() -> None:
    look = cycle_decided(statistics=statistics(log_e=-0.5, log_e_max=1.5))
    report_between = cycle_decided(statistics=None, verdicts=())

    assert promotion().log_e_max == 0
    assert promotion(look).log_e_max == promotion(look, report_between).log_e_max == 1.5
    assert promotion(look, aliases_assigned(reordered=True)).log_e_max == 1.5
    assert promotion(look, aliases_assigned(swapped=True)).log_e_max == 0


@pytest.mark.parametrize(
    ("evidence", "after", "begins_again"),
    [
        ("version_pair", (1, 5, 3, 4), True),
        ("version_pair", (5, 2, 3, 4), True),
        ("version_pair", (1, 2, 4, 3), False),
        ("version_pair", FIRST_VERSIONS, False),
        ("since_swap", (1, 5, 3, 4), False),
        ("since_swap", (5, 2, 3, 4), False),
    ],
)
def test_the_largest_e_begins_again_with_the_window_of_the_rule(
    evidence: EvidenceWindow, after: Versions, begins_again: bool
) -> None:
    in_force = rule_set(rule=rule(evidence=evidence))
    look = cycle_decided(statistics=statistics(log_e_max=1.5))
    moved = aliases_assigned(cause="training", assignments=assignments(FIRST_VERSIONS, after))

    found = promotion(in_force, aliases_assigned(), look, moved)

    assert found.log_e_max == (0 if begins_again else 1.5)


def test_the_largest_e_begins_again_with_a_rule_that_restarts_the_window() -> None:
    look = cycle_decided(statistics=statistics(log_e_max=1.5))

    assert promotion(look, rule_set(restarts_window=True)).log_e_max == 0
    assert promotion(look, rule_set(restarts_window=False)).log_e_max == 1.5


def test_ranks_are_those_of_the_last_ranking_before_its_move() -> None:
    retained = cycle_decided(decision="retain_production", ranking=tuple(reversed(ranking())), reordered=True)
    moved = aliases_assigned(reordered=True, assignments=assignments((1, 2, 3, 4), (1, 4, 3, 2)))
    unranked = cycle_decided(decision="insufficient_data", ranking=())

    assert promotion().ranks == {}
    assert promotion(cycle_decided()).ranks == {"B": 1, "shadow1": 2, "shadow2": 3}
    assert promotion(cycle_decided(), retained, moved, unranked).ranks == {
        "B": 1,
        "shadow1": 2,
        "shadow2": 3,
    }


def test_ranks_are_the_reporters_when_a_report_names_them() -> None:
    named = report(
        alias_rankings=(ReportedRanking(alias="shadow2", rank=1), ReportedRanking(alias="B", rank=2)),
    )

    assert promotion(cycle_decided(trigger="report", ranking=(), report=named)).ranks == {
        "shadow2": 1,
        "B": 2,
    }
    silent = cycle_decided(trigger="report", ranking=(), report=report(alias_rankings=()))
    assert promotion(cycle_decided(), silent).ranks == {"B": 1, "shadow1": 2, "shadow2": 3}


def test_a_holdout_accuracy_waits_for_its_version_to_get_an_alias() -> None:
    trained = training_completed(model_version=5, holdout_accuracy=0.41)
    moved = aliases_assigned(assignments=assignments((1, 2, 3, 4), (1, 2, 3, 5)))

    assert promotion(aliases_assigned(), trained).holdout_accuracies == {5: 0.41}
    assert promotion(aliases_assigned(), trained, moved).holdout_accuracies == {5: 0.41}


def test_holdout_accuracies_do_not_grow_with_the_ledger() -> None:
    events: list[Event] = [aliases_assigned()]
    versions = range(5, 3 * VERSIONS_KEPT)
    for version in versions:
        events.append(training_completed(model_version=version))
        if version == 6:
            events.append(aliases_assigned(assignments=assignments((1, 2, 3, 4), (1, 2, 5, 6))))

    assert set(promotion(*events).holdout_accuracies) == {5, 6, *versions[-VERSIONS_KEPT:]}


def test_a_version_that_comes_back_still_has_its_accuracy() -> None:
    away = aliases_assigned(assignments=assignments((1, 2, 3, 5), (1, 2, 3, 6)))
    back = aliases_assigned(assignments=assignments((1, 2, 3, 6), (1, 2, 3, 5)))

    rolled_back = promotion(training_completed(model_version=5, holdout_accuracy=0.41), away, back)

    assert rolled_back.holdout_accuracies == {5: 0.41}


@pytest.mark.parametrize(
    "untold",
    [
        training_completed(status="failure", model_version=None, holdout_accuracy=None),
        training_completed(holdout_accuracy=None),
    ],
)
def test_a_training_without_a_version_or_an_accuracy_says_nothing(untold: Event) -> None:
    assert promotion(untold).holdout_accuracies == {}


def test_an_adopted_swap_is_remembered_until_a_report_claims_it() -> None:
    adopted = aliases_assigned(cause="registry", swapped=True, assignments=SWAPPED)
    promoted = aliases_assigned(cause="promotion", swapped=True, assignments=SWAPPED)

    assert promotion(adopted).adopted_swap
    assert promotion(adopted).swap_count == 1
    assert not promotion(promoted).adopted_swap
    assert promotion(adopted, cycle_decided()).adopted_swap, "our own cycle knows nothing of it"
    assert not promotion(adopted, cycle_decided(report=report())).adopted_swap
    assert not promotion(adopted, aliases_assigned(cause="registry")).adopted_swap


@pytest.mark.parametrize(
    ("after", "is_remembered"),
    [
        ((2, 1, 3, 6), True),
        ((2, 1, 4, 3), True),
        ((2, 1, 3, 4), True),
        ((2, 6, 3, 4), False),
        ((6, 1, 3, 4), False),
    ],
)
@pytest.mark.parametrize("cause", ["training", "promotion", "manual", "registry", "report"])
def test_an_adopted_swap_is_remembered_while_production_and_b_stay(
    after: Versions, is_remembered: bool, cause: Cause
) -> None:
    adopted = aliases_assigned(cause="registry", swapped=True, assignments=SWAPPED)
    moved = aliases_assigned(cause=cause, assignments=assignments((2, 1, 3, 4), after))

    assert promotion(adopted, moved).adopted_swap == is_remembered
    assert not promotion(moved).adopted_swap


def test_a_parity_check_is_kept_by_version_and_not_shown_for_another_run() -> None:
    checked = [
        parity_checked(differences=3),
        parity_checked(run_id="r2", version=2),
        parity_checked(differences=1),
    ]

    found = promotion(*checked)

    assert (parity := found.parity(1)) is not None
    assert (parity.position, parity.differences) == (3, 1)
    assert found.parity_found(1) == ParityFound(position=3, rounds=400, differences=1)
    assert found.parity_found(2) is None
    assert found.parity(2) is None, "its number means another run than the one that was checked"
    assert found.parity(3) is None
    assert found.parity(None) is None
