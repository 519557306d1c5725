import pytest

from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import Order
from gameplay.promotion.pins import expire
from gameplay.promotion.planning import Moved
from gameplay.refusals import Conflict, Invalid
from ledger.events import AliasPinned, AliasUnpinned
from ledger.vocabulary import ALIASES, Alias
from projections.audit.decisions import check_decisions
from projections.read_models.all import ReadModels
from tests.builders import assignment
from tests.gameplay.promotion.house import FAMILY, House, cycle, gauges
from tests.gameplay.promotion.operator.ordering import SECOND_US, order, pin, swap, unpin
from tests.projections.stories import BEGIN_US, Clock

IN_A_MINUTE = BEGIN_US + 60 * SECOND_US


def pinned(house: House) -> dict[str, int]:
    """Alias -> the version that is held behind it, after a replay."""
    read_models = ReadModels(house.ledger)
    with read_models.projector.current():
        pins = read_models.standings.state.families[FAMILY].pins
    return {alias: held.version for alias, held in pins.items()}


def is_broken(house: House, alias: Alias) -> bool:
    read_models = ReadModels(house.ledger)
    with read_models.projector.current():
        return read_models.standings.state.families[FAMILY].is_pin_broken(alias)


def test_a_pin_says_what_is_held_by_whom_and_why(house: House) -> None:
    (done,) = order(house, pin("shadow1", expires_us=IN_A_MINUTE))

    assert done.event == AliasPinned(
        model_type=FAMILY,
        alias="shadow1",
        version=3,
        expires_us=IN_A_MINUTE,
        actor="ada",
        reason="the campaign",
        key=None,
    )
    assert (done.position, done.applied, done.repeated) == (house.ledger.head().position, None, False)
    assert pinned(house) == {"shadow1": 3}
    assert house.registry.assigned == 0


@pytest.mark.parametrize("alias", ["Production", "B"])
def test_a_pin_of_either_side_holds_a_swap_back(house: House, alias: Alias) -> None:
    house.better_b()
    house.predictions(v2=10, v3=30, v4=20)
    order(house, pin(alias))

    decided = cycle(house.process())

    assert (decided.decision, decided.reason_code) == ("retain_production", "pinned")
    assert f"Held back: {alias} is pinned to version" in decided.reason
    assert decided.reason.endswith(", by ada.")
    assert decided.verdicts[0].decision == "swap_production_b"
    assert house.aliases() == house.registered() == (1, 2, 3, 4)
    assert gauges(house)["cycles"] == 1
    (audited,) = check_decisions(house.ledger).decisions
    assert audited.mismatches == ()


def test_a_swap_goes_on_while_a_shadow_is_pinned(house: House) -> None:
    house.better_b()
    order(house, pin("shadow1"))

    assert cycle(house.process()).decision == "swap_production_b"

    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()


@pytest.mark.parametrize(
    ("alias", "after"),
    [("Production", (1, 3, 4, 2)), ("B", (1, 2, 3, 4)), ("shadow1", (1, 4, 3, 2)), ("shadow2", (1, 3, 2, 4))],
)
def test_a_reorder_moves_only_what_is_not_pinned(
    house: House, alias: Alias, after: tuple[int, int, int, int]
) -> None:
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    house.predictions(v2=10, v3=30, v4=20)
    order(house, pin(alias))

    decided = cycle(house.process())

    assert decided.reordered == (after != (1, 2, 3, 4))
    assert [ranked.alias for ranked in decided.ranking] == ["shadow1", "shadow2", "B"]
    assert house.aliases() == after
    assert house.registered() == after
    assert gauges(house)["production_games"] == 6


def test_a_training_leaves_a_pinned_alias_and_moves_the_others(house: House) -> None:
    house.games("Production", 4, 2)
    order(house, pin("B"))

    moved = planning.assign(house.process(), FAMILY, {"B": 5, "shadow2": 6}, cause="training")

    assert moved == Moved(completed=True, pinned=frozenset({"B"}))
    assert house.aliases() == (1, 2, 3, 6)
    assert gauges(house)["production_games"] == 4
    house.assert_converged()


def test_a_training_for_pinned_aliases_alone_moves_nothing(house: House) -> None:
    order(house, pin("B"))
    events = house.events()

    moved = planning.assign(house.process(), FAMILY, {"B": 5}, cause="training")

    assert moved == Moved(completed=True, pinned=frozenset({"B"}))
    assert house.events() == events


def test_nothing_moves_a_pinned_alias_by_hand(house: House) -> None:
    order(house, swap(), pin("Production"))
    events = house.events()

    for attempt in (swap(), swap(3)):
        with pytest.raises(Conflict, match="Production is pinned to version 2, by ada; nothing is moved"):
            order(house, attempt)
    with pytest.raises(Conflict, match="pinned to version 2"):
        planning.move(house.process(), FAMILY, assignment((1, 2, 3, 4)), cause="manual")

    assert house.events() == events


def test_an_unpinned_alias_moves_again(house: House) -> None:
    house.better_b()
    _, done = order(house, pin("B"), unpin("B"))

    assert isinstance(done.event, AliasUnpinned)
    assert (done.event.version, done.event.cause, done.event.actor) == (2, "manual", "ada")
    assert pinned(house) == {}
    assert cycle(house.process()).decision == "swap_production_b"


def test_a_later_pin_takes_the_place_of_an_earlier_one(house: House, clock: Clock) -> None:
    order(house, pin("B", expires_us=IN_A_MINUTE), pin("B"))
    house.better_b()
    clock.now += 3_600

    assert cycle(house.process()).reason_code == "pinned"


def test_a_pin_that_has_expired_holds_nothing_and_its_end_is_recorded_by_the_next_cycle(
    house: House, clock: Clock
) -> None:
    house.better_b()
    order(house, pin("B", expires_us=IN_A_MINUTE))
    assert cycle(house.process()).reason_code == "pinned"
    clock.now += 60

    assert pinned(house) == {"B": 2}, "until it is recorded it is shown"
    assert cycle(house.process()).decision == "swap_production_b"

    names = [type(event).__name__ for event in house.events()][2:]
    assert names == ["CycleDecided", "AliasUnpinned", "CycleDecided", "AliasesPlanned", "AliasesAssigned"]
    ended = house.events()[3]
    assert isinstance(ended, AliasUnpinned)
    assert (ended.cause, ended.actor, ended.reason) == ("expired", None, None)
    assert pinned(house) == {}
    assert [one.mismatches for one in check_decisions(house.ledger).decisions] == [(), ()]


def test_the_end_of_a_pin_is_recorded_by_the_next_start_and_once(house: House, clock: Clock) -> None:
    order(house, pin("B", expires_us=IN_A_MINUTE), pin("shadow1"))
    assert expire(house.process(), FAMILY) == []
    clock.now += 60

    (ended,) = expire(house.process(), FAMILY)

    assert (ended.alias, ended.cause) == ("B", "expired")
    assert expire(house.process(), FAMILY) == []
    assert pinned(house) == {"shadow1": 3}


def test_whatever_moves_next_records_the_end_of_a_pin(house: House, clock: Clock) -> None:
    order(house, pin("B", expires_us=IN_A_MINUTE))
    clock.now += 60

    order(house, swap())

    assert [type(event).__name__ for event in house.events()][2:] == [
        "AliasUnpinned",
        "AliasesPlanned",
        "AliasesAssigned",
    ]
    assert house.aliases() == (2, 1, 3, 4)


def test_a_pin_that_expires_in_the_middle_of_a_plan_leaves_the_plan_as_it_is(house: House, clock: Clock) -> None:
    """The plan was made while B was held, so it moves the shadows alone, whenever it is completed."""
    house.games("Production", 6, 3)
    house.games("B", 6, 3)
    house.predictions(v2=10, v3=30, v4=35)
    order(house, pin("B", expires_us=IN_A_MINUTE))
    house.registry.down = True
    assert cycle(house.process()).reordered
    clock.now += 60
    house.registry.down = False

    assert applying.settle(house.process(), FAMILY)

    assert house.aliases() == (1, 2, 4, 3)
    assert pinned(house) == {"B": 2}
    again = cycle(house.process())
    assert pinned(house) == {}
    assert again.reordered
    assert house.aliases() == (1, 4, 3, 2)
    house.assert_converged()


def test_an_outside_move_of_a_pinned_alias_is_adopted_and_breaks_the_pin(house: House) -> None:
    order(house, pin("Production"))
    house.registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))

    adopted = adoption.adopt(house.process(), FAMILY)

    assert adopted is not None
    assert adopted.swapped
    assert house.aliases() == (2, 1, 3, 4)
    assert pinned(house) == {"Production": 1}
    assert is_broken(house, "Production")
    house.games("Production", 6, 1, version=2, swap_count=1)
    house.games("B", 6, 5, version=1, swap_count=1)
    assert cycle(house.process()).reason_code == "pinned"


def test_a_pinned_alias_may_be_moved_back_to_what_is_pinned(house: House) -> None:
    order(house, pin("Production"))
    house.registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))
    adoption.adopt(house.process(), FAMILY)

    order(house, swap())

    assert house.aliases() == (1, 2, 3, 4)
    assert not is_broken(house, "Production")


@pytest.mark.parametrize(
    ("wrong", "error", "problem"),
    [
        (pin("B", version=3), Conflict, "version 3 of xgboost is not behind B: version 2 is"),
        (pin("B", version=99), Conflict, "version 99 of xgboost is not behind B: version 2 is"),
        (pin("B", expires_us=BEGIN_US), Invalid, "which is past"),
        (pin("B", expires_us=0), Invalid, "1970-01-01T00:00:00.000000Z, which is past"),
        (pin("B", expires_us=2**53 + 1), Invalid, "2255-06-05"),
        (unpin("B"), Conflict, "B of xgboost is not pinned; no alias is"),
    ],
)
def test_what_cannot_be_pinned_is_refused_and_writes_nothing(
    house: House, wrong: Order, error: type[Exception], problem: str
) -> None:
    head = house.ledger.head()

    with pytest.raises(error, match=problem):
        execute(house.process(), wrong)

    assert house.ledger.head() == head
