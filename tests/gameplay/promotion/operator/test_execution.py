"""Orders against whatever else goes on: keys, crashes at each step, cycles of other processes."""

import pytest

from gameplay.promotion import applying
from gameplay.promotion.operator.execution import execute, preview
from gameplay.promotion.operator.orders import Order
from gameplay.refusals import Conflict
from projections.read_models.history import Query
from tests.gameplay.faults import CrashError, crash
from tests.gameplay.promotion.house import FAMILY, House, cycle, gauges, settled
from tests.gameplay.promotion.operator.ordering import STEPS, order, origin, pin, swap, trip, undo, unpin


def keyed(one: Order) -> Order:
    return type(one)(**{name: getattr(one, name) for name in one.__struct_fields__} | {"origin": origin(key="k1")})


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("again", ["by the next start", "by the same order", "by another order"])
@pytest.mark.parametrize(
    ("one", "moved", "is_swap"),
    [(swap(), (1, 2, 3, 4), True), (swap(4), (4, 1, 3, 2), False), (undo(), (1, 2, 3, 4), True)],
    ids=["swap", "swap --to", "undo"],
)
def test_an_order_that_died_is_carried_on(
    house: House, one: Order, moved: tuple[int, int, int, int], is_swap: bool, step: str, again: str
) -> None:
    """Aliases in the registry equal the ledger's, and the tickers went to zero exactly at an exchange with B."""
    order(house, swap())  # so that there is something to undo
    house.games("Production", 4, 2, version=2, swap_count=1)
    trip(house, step)
    with pytest.raises(CrashError):
        execute(house.process(), keyed(one))
    was_written = step != "before append 1"

    if again == "by the next start":
        assert settled(house.process())
    elif again == "by the same order":
        done = execute(house.process(), keyed(one))
        assert (done.applied, done.repeated) == (True, was_written)
        was_written = True
    elif step not in ("before append 1", "after append 2"):
        with pytest.raises(Conflict, match="was open, and is completed now: the aliases are Production v"):
            execute(house.process(), swap(3))

    house.assert_converged()
    assert house.aliases() == (moved if was_written else (2, 1, 3, 4))
    at_zero = was_written and is_swap
    assert gauges(house)["swaps"] == 1 + at_zero
    assert gauges(house)["production_games"] == (0 if at_zero else 4)


@pytest.mark.parametrize("step", ["before append 1", "after append 1"])
@pytest.mark.parametrize("one", [pin("B"), unpin("shadow1")], ids=["pin", "unpin"])
def test_a_pin_that_died_is_written_once(house: House, one: Order, step: str) -> None:
    order(house, pin("shadow1"))
    trip(house, step)
    with pytest.raises(CrashError):
        execute(house.process(), keyed(one))

    done = execute(house.process(), keyed(one))

    assert done.repeated == (step == "after append 1")
    assert len(house.events()) == 3
    assert house.aliases() == house.registered() == (1, 2, 3, 4)


def test_an_order_under_its_key_is_carried_out_once(house: House) -> None:
    orders = [keyed(pin("shadow1")), swap(key="k2"), undo(key="k3")]
    first = order(house, *orders)
    head = house.ledger.head()

    again = order(house, *orders)

    assert [(one.position, one.event, one.applied) for one in again] == [
        (one.position, one.event, one.applied) for one in first
    ]
    assert [one.repeated for one in again] == [True] * 3
    assert house.ledger.head() == head


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (swap(), undo()),
        (swap(), swap(3)),
        (swap(), pin("B")),
        (swap(3), swap()),
        (pin("B"), pin("shadow1")),
        (pin("B"), pin("B", expires_us=2**50)),
        (pin("B"), unpin("B")),
    ],
)
def test_a_key_of_another_order_is_refused(house: House, first: Order, other: Order) -> None:
    order(house, keyed(first))
    head = house.ledger.head()

    with pytest.raises(Conflict, match="the key 'k1' belongs to another order, at position"):
        order(house, keyed(other))

    assert house.ledger.head() == head


def test_a_cancelled_order_is_not_carried_out_when_it_comes_again(house: House) -> None:
    house.registry.at_assignment(1, crash)
    with pytest.raises(CrashError):
        execute(house.process(), swap(key="k1"))
    assert applying.cancel(house.process(), FAMILY)

    done = execute(house.process(), swap(key="k1"))

    assert (done.applied, done.repeated) == (False, True)
    assert house.aliases() == (1, 2, 3, 4)
    house.assert_converged()


@pytest.mark.parametrize("one", [swap(), swap(3), pin("B"), undo()], ids=["swap", "swap --to", "pin", "undo"])
def test_an_order_that_meets_a_swap_of_another_process_is_refused(house: House, one: Order) -> None:
    """The cycle has exchanged what the operator meant to exchange: to do it again would take it back."""
    order(house, swap(), swap())
    house.games("Production", 6, 1, swap_count=2)
    house.games("B", 6, 5, swap_count=2)
    other = house.process()
    house.ledger.before_append(1, lambda: cycle(other))
    swaps = gauges(house)["swaps"]

    with pytest.raises(Conflict, match="another process has moved the aliases of xgboost meanwhile"):
        execute(house.process(), one)

    assert gauges(house)["swaps"] == swaps + 1
    house.assert_converged()


def test_an_order_goes_on_beside_a_cycle_that_moves_nothing(house: House) -> None:
    other = house.process()
    house.ledger.before_append(1, lambda: cycle(other))

    execute(house.process(), swap())

    assert house.aliases() == (2, 1, 3, 4)
    assert gauges(house)["cycles"] == 0
    house.assert_converged()


def test_a_cycle_that_meets_a_manual_swap_decides_after_it(house: House) -> None:
    house.better_b()
    other = house.process()
    house.ledger.before_append(1, lambda: execute(other, swap()))

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("insufficient_data", "too_few_games")
    assert house.aliases() == (2, 1, 3, 4)
    assert gauges(house)["swaps"] == 1
    house.assert_converged()


def test_an_order_is_for_what_its_preview_has_shown(house: House) -> None:
    process = house.process()
    shown = preview(process, swap())
    order(house, swap(), swap())  # the same aliases again, but after other swaps

    with pytest.raises(Conflict, match="meanwhile"):
        execute(process, swap(), shown.seen)

    assert house.aliases() == (1, 2, 3, 4)
    assert execute(process, swap(), preview(process, swap()).seen).applied


def test_an_order_while_a_plan_cannot_be_completed_is_refused_with_the_cause(house: House) -> None:
    house.better_b()
    house.registry.down = True
    cycle(house.process())
    head = house.ledger.head()

    for one in (pin("B"), swap(), undo()):
        with pytest.raises(Conflict, match=r"plan 3 stays open: .*; nothing else was done"):
            order(house, one)
    with pytest.raises(Conflict, match="plan 3 is open, and completed before anything new"):
        preview(house.process(), swap())

    assert house.ledger.head() == head


def test_a_manual_move_is_evidence_for_nothing(house: House) -> None:
    """It makes no row, no decision and no reorder; the next cycle begins with an empty window."""
    house.better_b()

    order(house, swap())

    decided = cycle(house.process())
    assert decided.evidence is not None
    assert decided.evidence.after_position == house.ledger.head().position - 1
    assert (decided.evidence.production.window.games, decided.evidence.b.window.games) == (0, 0)
    read_models = house.process().read_models
    read_models.projector.start()
    rows = read_models.history.rows(Query())
    assert [(row.cycle, row.decision) for row in rows] == [(1, "insufficient_data")]
