import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from gameplay.models.errors import ModelUnavailable
from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import CancelOrder, PinOrder, event_id
from gameplay.promotion.rules import set_rules
from gameplay.promotion.state import Promotion
from gameplay.refusals import Conflict
from ledger.errors import LedgerError
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    VersionRun,
)
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES, Family
from projections.decision.cycle import plan
from projections.decision.rules import DEFAULT
from tests.builders import assignment
from tests.gameplay.faults import (
    CrashError,
    crash,
    refuse,
)
from tests.gameplay.promotion.house import (
    FAMILY,
    House,
    applied,
    assert_one_plan_at_a_time,
    cycle,
    gauges,
    open_plan,
    settled,
)
from tests.gameplay.promotion.operator.ordering import origin, undo

# Each step of a swap at which a process can die: the ledger's two appends, and four aliases between them.
CRASHES = (
    "before append 1",
    "after append 1",
    "before alias 1",
    "before alias 2",
    "before alias 3",
    "before alias 4",
    "before append 2",
    "after append 2",
)


@pytest.mark.parametrize("at", CRASHES)
def test_a_swap_that_died_is_carried_on_by_the_next_process(house: House, at: str) -> None:
    house.better_b()
    when, what, number = at.split()
    if what == "alias":
        house.registry.at_assignment(int(number), crash)
    elif when == "before":
        house.ledger.before_append(int(number), crash)
    else:
        house.ledger.after_append(int(number), crash)
    with pytest.raises(CrashError):
        cycle(house.process())
    died_undecided = at == "before append 1"

    survivor = house.process()
    assert settled(survivor)

    assert house.aliases() == ((1, 2, 3, 4) if died_undecided else (2, 1, 3, 4))
    assert house.registered() == house.aliases()
    assert gauges(house)["swaps"] == (not died_undecided)
    again = cycle(survivor)
    assert again.decision == ("swap_production_b" if died_undecided else "insufficient_data")
    house.assert_converged()
    assert (gauges(house)["swaps"], gauges(house)["swap_decisions"]) == (1, 1)
    assert sum(isinstance(event, AliasesAssigned) and event.swapped for event in house.events()) == 1


def test_a_version_that_cannot_be_loaded_keeps_the_plan_open(house: House) -> None:
    loadable: set[int] = {1, 3, 4}

    def load(family: Family, version: int) -> VersionRun:
        if version not in loadable:
            raise ModelUnavailable(family, version, (("load_error", "no graph"),))
        return house.registry.kept[family, version].run

    house.better_b()
    process = house.process(load)
    assert cycle(process).decision == "swap_production_b"
    assert (house.registered(), house.aliases()) == ((1, 2, 3, 4), (1, 2, 3, 4))
    assert planning.cycle(process, FAMILY, trigger="schedule", source="test") is None

    loadable.add(2)
    assert applying.settle(process, FAMILY)
    house.assert_converged()
    assert house.aliases() == (2, 1, 3, 4)


def test_a_lost_version_behind_an_alias_that_stays_lets_the_others_move(house: House) -> None:
    house.better_b()
    del house.registry.kept[FAMILY, 4]

    assert cycle(house.process()).decision == "swap_production_b"

    assert house.aliases() == house.registered() == (2, 1, 3, 4)


def test_a_plan_to_a_lost_version_sets_no_alias_and_can_be_cancelled(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    house.registry.down = False
    del house.registry.kept[FAMILY, 2]

    assert not applying.settle(process, FAMILY)
    assert house.registered() == (1, 2, 3, 4)
    assert "plan 3 stays open" in process.problems[FAMILY]
    cancelled = applying.cancel(process, FAMILY)

    assert cancelled is not None
    event = cancelled.event
    assert (event.cause, event.plan, event.swapped) == ("manual", 3, False)
    assert house.aliases() == (1, 2, 3, 4)
    assert (gauges(house)["pending"], gauges(house)["swaps"], gauges(house)["production_games"]) == (False, 0, 6)
    assert applied(house) == [False]
    assert process.problems == {}
    assert applying.cancel(process, FAMILY) is None


def test_a_cancellation_gives_way_to_a_process_that_carries_the_plan_out(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    other = house.process()
    house.registry.at_assignment(1, lambda: applying.settle(other, FAMILY))

    assert applying.cancel(house.process(), FAMILY) is None

    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()
    assert adoption.adopt(house.process(), FAMILY) is None


@pytest.mark.parametrize("act", ["cycle", "move"])
def test_a_plan_that_another_process_has_just_made_is_completed_first(house: House, act: str) -> None:
    """It is made after this process has looked for one, and before it looks at the promotion state."""
    other, process = house.process(), house.process()

    def plan_elsewhere() -> None:
        planned = plan("manual", FAMILY, assignment(), assignment((1, 2, 4, 3)))
        house.ledger.append(promotion_stream(FAMILY), [planned], other.state(FAMILY).promotion.stream_version)

    applying.settle(process, FAMILY)
    house.ledger.before_read(2, plan_elsewhere)
    if act == "cycle":
        assert planning.cycle(process, FAMILY, trigger="schedule", source="test") is not None
    else:
        assert planning.move(process, FAMILY, assignment((5, 2, 3, 6)), cause="manual")

    completed = [event.plan for event in house.events() if isinstance(event, AliasesAssigned) and event.plan]
    assert len(completed) == sum(isinstance(event, AliasesPlanned) for event in house.events())
    house.assert_converged()


def test_a_plan_that_another_process_has_ended_is_no_problem_any_more(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    assert FAMILY in process.problems
    house.registry.down = False

    applying.settle(house.process(), FAMILY)
    process.state(FAMILY)

    assert process.problems == {}


def test_what_was_set_of_a_cancelled_plan_is_set_back(house: House) -> None:
    house.better_b()
    house.registry.at_assignment(2, crash)
    with pytest.raises(CrashError):
        cycle(house.process())
    assert house.registered() == (2, 2, 3, 4)

    assert applying.cancel(house.process(), FAMILY)

    house.assert_converged()
    assert house.aliases() == (1, 2, 3, 4)


def test_an_unreachable_registry_leaves_the_plan_open_until_it_is_back(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()

    assert cycle(process).decision == "swap_production_b"
    assert planning.cycle(process, FAMILY, trigger="schedule", source="test") is None
    assert not applying.settle(process, FAMILY)
    assert process.problems[FAMILY].startswith("plan ")
    with pytest.raises(Conflict, match="open plan"):
        planning.preview(process, FAMILY)
    with pytest.raises(Conflict, match="open plan"):
        planning.move(process, FAMILY, assignment((6, 5, 4, 3)), cause="manual")
    during = gauges(house)
    assert (during["pending"], during["swaps"], during["production_games"]) == (True, 0, 6)
    assert applied(house) == [False]

    house.registry.down = False
    assert settled(house.process())
    house.assert_converged()
    assert (gauges(house)["pending"], gauges(house)["swaps"]) == (False, 1)
    assert applied(house) == [True]


def test_a_registry_that_fails_in_between_is_led_to_the_plan(house: House) -> None:
    house.better_b()
    house.registry.at_assignment(2, refuse)
    process = house.process()

    cycle(process)
    assert house.registered() == (2, 2, 3, 4), "both aliases on one version: this must not be read back"

    assert adoption.adopt(process, FAMILY) is None
    assert applying.settle(process, FAMILY)
    house.assert_converged()
    assert house.aliases() == (2, 1, 3, 4)


def test_a_marker_store_that_fails_keeps_the_plan_open(house: House, tmp_path: Path) -> None:
    house.better_b()
    assert house.store is not None
    folder = tmp_path / "models"
    (folder / "rps_bot_xgboost").write_text("a file where a folder should be")
    process = house.process()

    cycle(process)
    assert gauges(house)["pending"]

    (folder / "rps_bot_xgboost").unlink()
    assert applying.settle(process, FAMILY)
    house.assert_converged()


def test_an_open_plan_is_finished_before_anything_new_is_decided(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False

    decided = cycle(house.process())

    assert decided.cycle == 2
    kinds = [type(event).__name__ for event in house.events()]
    assert kinds == ["AliasesAssigned", "CycleDecided", "AliasesPlanned", "AliasesAssigned", "CycleDecided"]


def test_two_processes_never_decide_one_cycle_twice(house: House) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    processes = [house.process() for _ in range(2)]
    failures: list[Exception] = []

    def run(promotion: Promotion) -> None:
        try:
            for _ in range(8):
                cycle(promotion)
        except (Conflict, LedgerError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(promotion,)) for promotion in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert_one_plan_at_a_time(house.events())
    assert gauges(house)["cycles"] == 16


def test_two_processes_that_swap_at_once_swap_once(house: House) -> None:
    house.better_b()
    one, other = house.process(), house.process()
    house.ledger.before_append(1, lambda: cycle(other))

    decided = cycle(one)

    assert (decided.cycle, decided.decision) == (2, "insufficient_data")
    assert gauges(house)["swaps"] == 1
    house.assert_converged()


def test_a_process_that_was_overtaken_puts_the_registry_right_again(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    slow, fast = house.process(), house.process()

    def overtake() -> None:
        assert applying.settle(fast, FAMILY)
        assert planning.move(fast, FAMILY, assignment((5, 6, 3, 4)), cause="manual")

    house.registry.at_assignment(2, overtake)

    assert applying.settle(slow, FAMILY)
    assert house.aliases() == (5, 6, 3, 4)
    house.assert_converged()


def test_a_plan_that_another_process_completes_is_completed_once(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    house.registry.down = False
    slow, fast = house.process(), house.process()
    house.ledger.before_append(1, lambda: applying.settle(fast, FAMILY))

    assert applying.settle(slow, FAMILY)

    assert gauges(house)["swaps"] == 1
    house.assert_converged()


@pytest.fixture
def overtaken(house: House) -> Promotion:
    """A process whose swap another one has completed and taken back before it set an alias of it.

    The registry goes away when it comes to set them right.
    """
    slow, fast = house.process(), house.process()
    open_plan(slow, FAMILY, (2, 1, 3, 4))

    def overtake() -> None:
        assert applying.settle(fast, FAMILY)
        execute(fast, undo())
        house.ledger.before_append(1, lambda: setattr(house.registry, "down", True))

    house.registry.at_assignment(1, overtake)
    assert not applying.settle(slow, FAMILY)
    assert (house.registered(), house.aliases()) == ((2, 1, 3, 4), (1, 2, 3, 4))
    assert "aliases in the registry are out of date" in slow.problems[FAMILY]
    house.registry.down = False
    return slow


GO_ON: dict[str, Callable[[Promotion], object]] = {
    "watch": lambda process: adoption.watch(process, FAMILIES),
    "adopt": lambda process: adoption.adopt(process, FAMILY),
    "adopt all": lambda process: adoption.adopt_all(process, FAMILIES),
    "settle": lambda process: applying.settle(process, FAMILY),
    "cycle": cycle,
}


@pytest.mark.parametrize("go_on", GO_ON)
def test_aliases_that_could_not_be_set_right_are_set_right_later(
    house: House, overtaken: Promotion, go_on: str
) -> None:
    before = len(house.events())
    GO_ON[go_on](overtaken)

    house.assert_converged()
    assert house.aliases() == (1, 2, 3, 4)
    assert overtaken.problems == {}
    assert adoption.adopt(house.process(), FAMILY) is None, "a swap that no tool has made"
    assert len(house.events()) == before + (go_on == "cycle")


def test_aliases_are_set_right_while_another_plan_awaits_approval(house: House, overtaken: Promotion) -> None:
    other = house.process()
    set_rules(other, {FAMILY: structs.replace(DEFAULT, approval_seconds=3600)}, actor="settings")
    house.games("Production", 6, 1, swap_count=2)
    house.games("B", 6, 5, swap_count=2)
    cycle(other)

    adoption.watch(overtaken, FAMILIES)

    assert house.registered() == house.aliases() == (1, 2, 3, 4)
    assert overtaken.problems == {}


@pytest.mark.parametrize("failing", range(2, 5))
def test_aliases_of_a_plan_that_was_taken_back_meanwhile_are_set_right(house: House, failing: int) -> None:
    """The registry fails after some of them, or all but one, are set: what is there by then is a swap like any."""
    slow, fast = house.process(), house.process()
    open_plan(slow, FAMILY, (2, 1, 3, 4))

    def overtake() -> None:
        assert applying.settle(fast, FAMILY)
        execute(fast, undo())
        house.registry.at_assignment(failing - 1, refuse)

    house.registry.at_assignment(1, overtake)
    assert not applying.settle(slow, FAMILY)
    assert FAMILY in slow.problems

    adoption.watch(slow, FAMILIES)

    house.assert_converged()
    assert house.aliases() == (1, 2, 3, 4)
    assert slow.problems == {}


def test_what_an_outside_tool_has_moved_is_adopted_after_a_plan_of_ours_has_failed(house: House) -> None:
    """A plan that is still open when setting it fails leaves nothing to set right once another process ends it."""
    slow, fast = house.process(), house.process()
    open_plan(slow, FAMILY, (2, 1, 3, 4))
    house.registry.at_assignment(2, refuse)
    assert not applying.settle(slow, FAMILY)
    assert applying.settle(fast, FAMILY)
    house.registry.named[FAMILY]["shadow2"] = 6

    adopted = adoption.adopt(slow, FAMILY)

    assert adopted is not None
    assert house.aliases() == house.registered() == (2, 1, 3, 6)


@pytest.mark.parametrize("other", FAMILIES)
def test_a_cancel_whose_key_another_order_takes_meanwhile_is_refused(house: House, other: Family) -> None:
    process, elsewhere = house.process(), house.process()
    open_plan(process, FAMILY, (5, 2, 3, 4))
    take: Callable[[], object] = partial(
        execute, elsewhere, PinOrder(family=other, alias="B", origin=origin(key="K"))
    )
    if other == FAMILY:  # whose plan keeps other orders waiting
        take = partial(applying.cancel, elsewhere, FAMILY, event_id=event_id(origin(key="K")))
    house.ledger.before_append(1, take)

    with pytest.raises(Conflict, match="the key 'K' belongs to another order"):
        execute(process, CancelOrder(family=FAMILY, origin=origin(key="K")))

    assert (process.state(FAMILY).promotion.plan is None) == (other == FAMILY)
    assert house.registered() == house.aliases() == (1, 2, 3, 4)
    assert process.problems == {}
