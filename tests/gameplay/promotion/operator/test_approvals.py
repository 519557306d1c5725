"""A swap that waits for an operator, and what becomes of it."""

from typing import Any

import pytest
from msgspec import structs

from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.operator.execution import execute, preview
from gameplay.promotion.operator.orders import ApproveOrder, Order, RejectOrder
from gameplay.promotion.operator.status import status
from gameplay.promotion.rules import set_rules
from gameplay.refusals import Conflict
from ledger.events import AliasesAssigned, AliasesPlanned, PlanApproved, PlanRejected
from projections.audit.counterfactual import Change
from projections.audit.decisions import check_decisions
from projections.audit.what_if import what_if
from projections.decision.rules import DEFAULT
from tests.gameplay.faults import CrashError
from tests.gameplay.promotion.house import FAMILY, House, applied, cycle, gauges, settled
from tests.gameplay.promotion.operator.ordering import (
    APPENDS,
    SECOND_US,
    STEPS,
    order,
    origin,
    pin,
    swap,
    trip,
    undo,
)
from tests.projections.stories import BEGIN_US, Clock

WAIT_SECONDS = 3_600


def approve(**changes: Any) -> ApproveOrder:
    return ApproveOrder(family=FAMILY, plan=changes.pop("plan", None), origin=origin(**changes))


def reject(**changes: Any) -> RejectOrder:
    return RejectOrder(family=FAMILY, plan=changes.pop("plan", None), origin=origin(**changes))


@pytest.fixture
def waiting(house: House) -> House:
    """A family whose swap waits for an hour."""
    rule = structs.replace(DEFAULT, approval_seconds=WAIT_SECONDS)
    set_rules(house.process(), {FAMILY: rule}, actor="settings")
    house.better_b()
    assert cycle(house.process()).decision == "swap_production_b"
    return house


def names(house: House, after: int) -> list[str]:
    return [type(event).__name__ for event in house.events()][after:]


def test_a_swap_waits_and_moves_nothing(waiting: House) -> None:
    *_, planned = waiting.events()

    assert isinstance(planned, AliasesPlanned)
    assert planned.approve_by_us == BEGIN_US + WAIT_SECONDS * SECOND_US
    assert waiting.registry.assigned == 0
    assert waiting.aliases() == waiting.registered() == (1, 2, 3, 4)
    assert applied(waiting) == [False]
    assert gauges(waiting)["pending"]


def test_starts_and_looks_at_the_registry_leave_it_waiting(waiting: House) -> None:
    process, head = waiting.process(), waiting.ledger.head()

    assert adoption.adopt_all(process, (FAMILY,)).problems == {}
    adoption.watch(process, (FAMILY,))
    assert applying.settle(process, FAMILY)

    assert process.problems == {}
    assert waiting.ledger.head() == head


def test_cycles_meanwhile_are_recorded_and_move_nothing(waiting: House) -> None:
    waiting.predictions(v2=10, v3=30, v4=20)
    swaps_again = cycle(waiting.process())
    waiting.games("Production", 20, 18)
    retains = cycle(waiting.process())

    assert (swaps_again.decision, swaps_again.reason_code) == ("retain_production", "awaiting_approval")
    assert "Held back: plan 4 awaits approval until 2025-10-10T09:00:00.000000Z." in swaps_again.reason
    assert (retains.decision, retains.reason_code, retains.reordered) == ("retain_production", "not_better", False)
    assert [ranked.alias for ranked in retains.ranking] == ["shadow1", "shadow2", "B"]
    assert waiting.aliases() == (1, 2, 3, 4)
    assert gauges(waiting)["cycles"] == 3


def test_the_audit_and_what_if_derive_cycles_that_wait(waiting: House) -> None:
    cycle(waiting.process())
    order(waiting, approve())
    cycle(waiting.process())

    assert [one.mismatches for one in check_decisions(waiting.ledger).decisions] == [(), (), ()]
    (outcome,) = what_if(waiting.ledger, Change(), [FAMILY])
    assert [one.counterfactual.reason_code for one in outcome.cycles] == [
        "better",
        "awaiting_approval",
        "too_few_games",
    ]
    assert outcome.parted_position is None


def test_an_approved_swap_is_carried_out(waiting: House) -> None:
    (done,) = order(waiting, approve())

    assert isinstance(done.event, PlanApproved)
    assert (done.event.plan, done.event.actor, done.applied) == (4, "ada", True)
    assert waiting.aliases() == (2, 1, 3, 4)
    waiting.assert_converged()
    after = gauges(waiting)
    assert (after["swaps"], after["production_games"], after["pending"]) == (1, 0, False)
    assert applied(waiting) == [True]


def test_a_rejected_swap_is_closed_and_the_games_go_on_counting(waiting: House) -> None:
    (done,) = order(waiting, reject())

    assert isinstance(done.event, PlanRejected)
    assert (done.event.plan, done.event.cause, done.applied) == (4, "manual", None)
    closed = waiting.events()[-1]
    assert isinstance(closed, AliasesAssigned)
    assert (closed.plan, closed.actor, closed.reason) == (4, "ada", "the campaign")
    assert waiting.registry.assigned == 0
    assert gauges(waiting)["production_games"] == 6
    assert applied(waiting) == [False]
    assert cycle(waiting.process()).decision == "swap_production_b", "it is planned again, and waits again"
    assert [one.mismatches for one in check_decisions(waiting.ledger).decisions] == [(), ()]


def test_a_swap_that_was_not_approved_in_time_is_closed_by_the_next_cycle(waiting: House, clock: Clock) -> None:
    clock.now += WAIT_SECONDS
    before = len(waiting.events())

    again = cycle(waiting.process())

    assert names(waiting, before) == ["PlanRejected", "AliasesAssigned", "CycleDecided", "AliasesPlanned"]
    rejected = waiting.events()[before]
    assert isinstance(rejected, PlanRejected)
    assert (rejected.cause, rejected.actor, rejected.reason) == ("expired", None, None)
    assert again.decision == "swap_production_b"


@pytest.mark.parametrize("one", [approve(), reject()], ids=["approve", "reject"])
def test_an_answer_that_comes_too_late_is_refused(
    waiting: House, clock: Clock, one: ApproveOrder | RejectOrder
) -> None:
    clock.now += WAIT_SECONDS

    with pytest.raises(Conflict, match="no plan of xgboost awaits approval"):
        execute(waiting.process(), one)

    assert names(waiting, 4) == ["PlanRejected", "AliasesAssigned"]
    assert waiting.aliases() == (1, 2, 3, 4)


@pytest.mark.parametrize("one", [pin("B"), swap(), swap(3), undo()], ids=["pin", "swap", "swap --to", "undo"])
def test_an_order_after_the_time_says_that_the_plan_was_not_approved(
    waiting: House, clock: Clock, one: Order
) -> None:
    clock.now += WAIT_SECONDS

    with pytest.raises(Conflict, match="plan 4 was not approved in time, and is closed before anything new"):
        preview(waiting.process(), one)
    with pytest.raises(
        Conflict, match=r"plan 4 of xgboost was not approved in time, and is closed now: .* v1, B v2"
    ):
        execute(waiting.process(), one)

    assert names(waiting, 4) == ["PlanRejected", "AliasesAssigned"]


@pytest.mark.parametrize("one", [approve(), reject()], ids=["approve", "reject"])
def test_the_dry_run_of_an_answer_that_comes_too_late_is_refused(
    waiting: House, clock: Clock, one: ApproveOrder | RejectOrder
) -> None:
    clock.now += WAIT_SECONDS

    with pytest.raises(Conflict, match="no plan of xgboost awaits approval"):
        preview(waiting.process(), one)

    assert names(waiting, 4) == []


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (reject(), "closed now without being carried out: the aliases are Production v1, B v2"),
        (approve(), "completed now: the aliases are Production v2, B v1"),
    ],
    ids=["reject", "approve"],
)
def test_an_order_says_what_another_process_has_just_made_of_the_plan(
    waiting: House, answer: ApproveOrder | RejectOrder, what: str
) -> None:
    process, other = waiting.process(), waiting.process()
    process.state(FAMILY)
    waiting.ledger.before_read(2, lambda: execute(other, answer))

    with pytest.raises(Conflict, match=f"plan 4 of xgboost was open, and is {what}"):
        execute(process, swap())


def test_the_dry_run_of_a_cycle_and_the_status_decide_as_the_cycle_does(waiting: House, clock: Clock) -> None:
    clock.now += WAIT_SECONDS
    process = waiting.process()
    expected, planned = planning.preview(process, FAMILY)
    shown = status(process, FAMILY, None)
    assert names(waiting, 4) == []

    decided = cycle(process)

    assert planned is not None
    assert (expected.decision, expected.reason_code) == (decided.decision, decided.reason_code)
    assert shown.verdict is not None
    assert (shown.verdict.decision, shown.verdict.held) == (decided.decision, False)
    assert shown.plan is not None
    assert (shown.plan.waits, shown.plan.version) == (False, 4)
    assert "was not approved in time" in shown.plan.moves


@pytest.mark.parametrize("one", [approve(), reject()], ids=["approve", "reject"])
def test_an_answer_after_another_one_says_that_no_plan_waits(
    waiting: House, one: ApproveOrder | RejectOrder
) -> None:
    process = waiting.process()
    shown = preview(process, one)
    order(waiting, reject())

    with pytest.raises(Conflict, match="no plan of xgboost awaits approval"):
        execute(process, one, shown.seen)


@pytest.mark.parametrize("one", [approve(plan=9), reject(plan=3)], ids=["approve", "reject"])
def test_an_answer_to_another_plan_is_refused(waiting: House, one: ApproveOrder | RejectOrder) -> None:
    head = waiting.ledger.head()

    with pytest.raises(Conflict, match="does not await approval: plan 4 does"):
        execute(waiting.process(), one)

    assert waiting.ledger.head() == head


def test_an_answer_is_for_the_plan_that_its_preview_has_shown(waiting: House) -> None:
    process = waiting.process()
    shown = preview(process, approve())
    order(waiting, reject())
    cycle(waiting.process())

    with pytest.raises(Conflict, match="another plan of xgboost waits by now"):
        execute(process, approve(), shown.seen)

    assert waiting.aliases() == (1, 2, 3, 4)


def test_nothing_awaits_approval_where_nothing_is_planned(house: House) -> None:
    for one in (approve(), reject()):
        with pytest.raises(Conflict, match="no plan of xgboost awaits approval"):
            execute(house.process(), one)


def test_whatever_else_would_move_aliases_waits_for_the_answer(waiting: House) -> None:
    head = waiting.ledger.head()

    for one in (pin("B"), swap(), undo()):
        with pytest.raises(Conflict, match=r"plan 4 awaits approval until .*; approve or reject it first"):
            order(waiting, one)
    with pytest.raises(Conflict, match="approve or reject it first"):
        planning.assign(waiting.process(), FAMILY, {"shadow2": 5}, cause="training")

    assert waiting.ledger.head() == head


def test_a_reorder_needs_no_approval(house: House) -> None:
    set_rules(house.process(), {FAMILY: structs.replace(DEFAULT, approval_seconds=60)}, actor="settings")
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    house.predictions(v2=10, v3=30, v4=20)

    assert cycle(house.process()).reordered

    assert house.aliases() == (1, 3, 4, 2)


def test_an_operator_s_own_swap_needs_no_approval(house: House) -> None:
    set_rules(house.process(), {FAMILY: structs.replace(DEFAULT, approval_seconds=60)}, actor="settings")

    (done,) = order(house, swap())

    assert done.applied


def test_a_plan_that_waits_goes_on_waiting_when_the_setting_is_taken_back(waiting: House) -> None:
    set_rules(waiting.process(), {FAMILY: DEFAULT}, actor="settings")

    assert cycle(waiting.process()).reason_code == "awaiting_approval"
    order(waiting, approve())
    assert waiting.aliases() == (2, 1, 3, 4)


def test_an_approved_swap_is_completed_when_the_registry_is_back(waiting: House) -> None:
    waiting.registry.down = True
    (done,) = order(waiting, approve(key="k"))
    assert done.applied is False
    waiting.registry.down = False

    (again,) = order(waiting, approve(key="k"))

    assert (again.applied, again.repeated) == (True, True)
    assert waiting.aliases() == (2, 1, 3, 4)
    waiting.assert_converged()


@pytest.mark.parametrize("step", STEPS)
def test_an_approval_that_died_is_carried_on(waiting: House, step: str) -> None:
    trip(waiting, step)
    with pytest.raises(CrashError):
        execute(waiting.process(), approve(key="k"))
    if step == "before append 1":
        assert settled(waiting.process())
        assert waiting.aliases() == (1, 2, 3, 4)

    done = execute(waiting.process(), approve(key="k"))

    assert (done.applied, done.repeated) == (True, step != "before append 1")
    assert waiting.aliases() == (2, 1, 3, 4)
    assert (gauges(waiting)["swaps"], gauges(waiting)["production_games"]) == (1, 0)
    waiting.assert_converged()


@pytest.mark.parametrize("step", APPENDS)
def test_a_rejection_that_died_is_written_once(waiting: House, step: str) -> None:
    trip(waiting, step)
    with pytest.raises(CrashError):
        execute(waiting.process(), reject(key="k"))

    done = execute(waiting.process(), reject(key="k"))

    assert done.repeated == (step == "after append 1")
    assert names(waiting, 4) == ["PlanRejected", "AliasesAssigned"]
    assert settled(waiting.process())
    assert waiting.aliases() == waiting.registered() == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("first", "second", "after"), [(approve(), reject(), (2, 1, 3, 4)), (reject(), approve(), (1, 2, 3, 4))]
)
def test_of_two_answers_at_once_the_first_one_holds(
    waiting: House,
    first: ApproveOrder | RejectOrder,
    second: ApproveOrder | RejectOrder,
    after: tuple[int, int, int, int],
) -> None:
    other = waiting.process()
    waiting.ledger.before_append(1, lambda: execute(other, first))

    with pytest.raises(Conflict, match="no plan of xgboost awaits approval"):
        execute(waiting.process(), second)

    assert waiting.aliases() == waiting.registered() == after


def test_a_key_of_the_other_answer_is_refused(waiting: House) -> None:
    order(waiting, reject(key="k"))

    with pytest.raises(Conflict, match="belongs to another order"):
        order(waiting, approve(key="k"))
