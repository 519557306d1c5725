from typing import Any

import pytest

from ledger.entries import Entry
from ledger.events import AliasesAssigned, AliasesPlanned, CycleDecided, Event
from ledger.store import Ledger
from ledger.vocabulary import Move
from projections.audit.counterfactual import Change
from projections.audit.decisions import Mismatch, check_decisions
from projections.audit.what_if import what_if
from projections.decision.cycle import decide_cycle
from projections.decision.rules import ANYTIME_SIGN, KNOWN_RULES, Z_TEST
from projections.errors import ProjectionError
from projections.read_models.all import ReadModels
from tests.builders import (
    FIRST_VERSIONS,
    Versions,
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    game_finished,
    game_started,
    round_played,
    rule,
)
from tests.projections.findings import decided, mismatched
from tests.projections.sabotage import Edit, edit

STREAM = "promotion-feedforward_nn"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda payload: payload["assignments"][3].update(after=9), "completion.assignments.3.after"),
        (lambda payload: payload.update(swapped=False), "completion.swapped"),
        (lambda payload: payload.update(reordered=True), "completion.reordered"),
        (lambda payload: payload.update(plan=None), "completion.plan"),
        (lambda payload: payload.update(cause="manual"), "completion.cause"),
    ],
)
def test_a_completion_that_is_not_its_plan_is_named(
    copy: Ledger, events: list[tuple[Entry, Event]], change: Edit, field: str
) -> None:
    entry, event = decided(events, "swap_production_b")
    completion = next(
        one.position
        for one, happened in events
        if isinstance(happened, AliasesAssigned)
        and (happened.model_type, happened.cycle) == (event.model_type, event.cycle)
    )
    edit(copy, completion, change)

    assert field in mismatched(check_decisions(copy))[entry.position]


def test_an_assignment_that_leaves_an_alias_out_is_reported_with_its_position(
    copy: Ledger, events: list[tuple[Entry, Event]]
) -> None:
    entry = next(entry for entry, event in events if isinstance(event, AliasesAssigned) and event.plan is not None)
    edit(copy, entry.position, lambda payload: payload["assignments"].pop())

    for ask in (check_decisions, lambda ledger: what_if(ledger, Change())):
        with pytest.raises(ProjectionError, match=f"position {entry.position} .* behind shadow2"):
            ask(copy)


def tell(ledger: Ledger, *happened: Event) -> int:
    """Append to the family's stream; the version that it is then at."""
    return ledger.append(STREAM, happened, ledger.version(STREAM)).version


def play(ledger: Ledger, alias: str, version: int, *, bot_wins: bool, games: int) -> None:
    """Whole games of seven rounds; the winner's scissors cut the other's paper, for 1.5 points each."""
    for number in range(games):
        labels = {"game_id": f"{alias}-{number}", "alias": alias, "model_version": version}
        moves: tuple[Move, Move] = ("paper", "scissors") if bot_wins else ("scissors", "paper")
        rounds = [
            round_played(
                **labels,
                round=done,
                user_move=moves[0],
                bot_move=moves[1],
                result="lose" if bot_wins else "win",
                user_delta_tenths=0 if bot_wins else 15,
                bot_delta_tenths=15 if bot_wins else 0,
                user_score_tenths=0 if bot_wins else 15 * done,
                bot_score_tenths=15 * done if bot_wins else 0,
            )
            for done in range(1, 8)
        ]
        end = game_finished(
            **labels,
            winner="bot" if bot_wins else "user",
            user_score_tenths=0 if bot_wins else 105,
            bot_score_tenths=105 if bot_wins else 0,
            rounds=7,
        )
        ledger.append(f"game-{labels['game_id']}", [game_started(**labels), *rounds, end], 0)


def decide(ledger: Ledger, name: str = Z_TEST) -> tuple[CycleDecided, AliasesPlanned | None]:
    """What a cycle decides at the head."""
    read_models = ReadModels(ledger)
    position = read_models.projector.catch_up()
    promotion = read_models.standings.state.families["feedforward_nn"]
    window = read_models.tickers.state.windows["feedforward_nn"]
    asked = rule(name=name)
    return decide_cycle(
        "feedforward_nn",
        promotion,
        window,
        read_models.version_pairs.state.windows["feedforward_nn"],
        asked,
        trigger="schedule",
        source="scheduler",
        position=position,
        decided_us=ledger.now_us(),
    )


@pytest.fixture
def winning(ledger: Ledger) -> Ledger:
    """A family whose B has won its five games and whose Production has lost its own."""
    tell(ledger, aliases_assigned())
    play(ledger, "Production", 1, bot_wins=False, games=5)
    play(ledger, "B", 2, bot_wins=True, games=5)
    return ledger


@pytest.mark.parametrize("name", KNOWN_RULES)
def test_a_decision_by_either_rule_is_derived_by_that_rule(winning: Ledger, name: str) -> None:
    event, planned = decide(winning, name)
    assert planned is not None
    version = tell(winning, event, planned)
    tell(winning, completed(planned, version))

    (one,) = check_decisions(winning).decisions

    assert (one.agrees, one.event.decision) == (True, "swap_production_b")
    assert (one.event.z_statistic is None) == (name == ANYTIME_SIGN)


def test_a_swap_that_a_pin_holds_back_is_derived_from_the_pins_of_that_time(winning: Ledger) -> None:
    held = {"alias": "Production", "version": 1}
    tell(winning, alias_pinned(alias="shadow1", version=3, expires_us=1), alias_pinned(**held))
    tell(winning, decide(winning)[0])
    tell(winning, alias_unpinned(**held))
    event, planned = decide(winning)
    assert planned is not None
    version = tell(winning, event, planned)
    tell(winning, completed(planned, version))

    audit = check_decisions(winning)

    assert audit.agrees
    assert [one.event.reason_code for one in audit.decisions] == ["pinned", "better"]


@pytest.mark.parametrize("field", ["decision", "reason_code", "reason"])
def test_a_decision_that_no_pin_explains_is_named(winning: Ledger, field: str) -> None:
    tell(winning, alias_pinned(alias="Production", version=1))
    held, _ = decide(winning)
    at = winning.head().position
    tell(winning, held)
    edit(winning, at, lambda payload: payload.update(alias="shadow2"))

    assert field in mismatched(check_decisions(winning))[at + 1]


def test_a_move_by_hand_is_held_against_its_plan(ledger: Ledger) -> None:
    by_hand: dict[str, Any] = {"cause": "manual", "cycle": None, "undoes": 1}
    by_hand |= {"actor": "ada", "reason": "a test", "key": "k"}
    planned = aliases_planned(**by_hand)
    version = tell(ledger, aliases_assigned(), planned)
    tell(ledger, completed(planned, version, **by_hand))
    assert check_decisions(ledger).agrees

    other = {"cycle": 5, "actor": "bob", "reason": "a whim", "key": "of another", "undoes": 2}
    edit(ledger, 3, lambda payload: payload.update(other))

    found = check_decisions(ledger).moves
    assert [one.position for one in found] == [2] * 5
    assert [one.problem for one in found] == [
        "completion.cycle is 5, the plan gives None",
        "completion.actor is bob, the plan gives ada",
        "completion.reason is a whim, the plan gives a test",
        "completion.key is of another, the plan gives k",
        "completion.undoes is 2, the plan gives 1",
    ]


def completed(planned: AliasesPlanned, version: int, **changes: Any) -> AliasesAssigned:
    fields = ("cause", "cycle", "assignments", "swapped", "reordered")
    return aliases_assigned(plan=version, **{name: getattr(planned, name) for name in fields} | changes)


def cancelled(version: int, versions: Versions = FIRST_VERSIONS) -> AliasesAssigned:
    return aliases_assigned(cause="manual", plan=version, assignments=assignments(versions, versions))


def test_a_plan_that_an_operator_withdrew_is_right_and_noted(winning: Ledger) -> None:
    """Nothing moved, so the games go on counting and the next cycle plans the same again."""
    event, planned = decide(winning)
    assert planned is not None
    version = tell(winning, event, planned)
    tell(winning, cancelled(version))
    again, planned_again = decide(winning)
    assert planned_again is not None
    version = tell(winning, again, planned_again)
    tell(winning, completed(planned_again, version))

    audit = check_decisions(winning)

    assert audit.agrees
    assert [one.notes for one in audit.decisions] == [("its plan was cancelled",), ()]
    assert audit.decisions[1].event.cycle == 2


def test_a_cancellation_of_other_aliases_is_named(winning: Ledger) -> None:
    event, planned = decide(winning)
    assert planned is not None
    version = tell(winning, event, planned)
    tell(winning, cancelled(version, (1, 2, 3, 9)))

    (one,) = check_decisions(winning).decisions

    assert {mismatch.field for mismatch in one.mismatches} == {"cancellation.3.before", "cancellation.3.after"}


def test_a_plan_that_is_open_is_no_mismatch_until_something_else_is_decided(winning: Ledger) -> None:
    event, planned = decide(winning)
    assert planned is not None
    tell(winning, event, planned)
    assert check_decisions(winning).agrees

    tell(winning, cycle_decided(cycle=2))

    planned_at = winning.head().position - 1
    one = next(one for one in check_decisions(winning).decisions if one.position == planned_at - 1)
    assert one.mismatches == (Mismatch("completion", "later", "before anything else is decided or planned"),)


def test_a_move_that_no_decision_planned_is_held_against_its_plan(ledger: Ledger) -> None:
    trained = aliases_planned(
        cause="training", cycle=None, assignments=assignments(FIRST_VERSIONS, (1, 2, 3, 5)), swapped=False
    )
    version = tell(ledger, aliases_assigned(), trained)
    tell(ledger, completed(trained, version, assignments=assignments(FIRST_VERSIONS, (1, 2, 3, 6))))
    tell(ledger, completed(trained, version))

    audit = check_decisions(ledger)

    assert not audit.agrees
    assert [(one.position, one.problem) for one in audit.moves] == [
        (2, "completion.assignments.3.after is 6, the plan gives 5"),
        (4, "it completes version 2, which is no open plan"),
    ]
