import pytest

from gameplay.promotion import adoption, planning
from gameplay.promotion.operator.execution import preview
from gameplay.promotion.operator.undo import MovedSince, TrainedSince
from gameplay.refusals import Conflict, Invalid
from ledger.events import AliasesPlanned
from ledger.vocabulary import ALIASES
from tests.builders import assignments, training_completed
from tests.gameplay.promotion.house import FAMILY, House, cycle, gauges
from tests.gameplay.promotion.operator.ordering import order, pin, swap, undo


def swapped_by_a_cycle(house: House) -> int:
    """The position of the swap."""
    house.better_b()
    assert cycle(house.process()).decision == "swap_production_b"
    return house.ledger.head().position


def test_an_undo_names_the_swap_brings_back_the_versions_and_begins_a_window(house: House) -> None:
    position = swapped_by_a_cycle(house)
    house.games("Production", 4, 2, version=2, swap_count=1)

    (done,) = order(house, undo())

    assert isinstance(done.event, AliasesPlanned)
    assert (done.event.undoes, done.event.swapped, done.event.cause) == (position, True, "manual")
    assert done.event.assignments == assignments((2, 1, 3, 4), (1, 2, 3, 4))
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["production_games"], after["swap_decisions"]) == (2, 0, 1)


def test_an_undo_of_an_undo_brings_the_swap_back(house: House) -> None:
    swapped_by_a_cycle(house)
    (first,) = order(house, undo())
    undone_at = house.ledger.head().position

    (second,) = order(house, undo())

    assert isinstance(second.event, AliasesPlanned)
    assert second.event.undoes == undone_at > first.position
    assert house.aliases() == (2, 1, 3, 4)
    assert gauges(house)["swaps"] == 3
    house.assert_converged()


def test_an_undo_brings_back_all_four_whatever_has_moved_since(house: House) -> None:
    """Challengers were reordered and one was trained; still it is the exchange that is taken back."""
    swapped_by_a_cycle(house)
    process = house.process()
    planning.assign(process, FAMILY, {"shadow2": 5}, cause="training")
    planning.assign(process, FAMILY, {"B": 3, "shadow1": 1}, cause="promotion")
    house.games("Production", 4, 2, version=2, swap_count=1)
    assert house.aliases() == (2, 3, 1, 5)

    order(house, undo())

    assert house.aliases() == (1, 2, 3, 4)
    assert (gauges(house)["swaps"], gauges(house)["production_games"]) == (2, 0)
    house.assert_converged()


def test_an_undo_takes_back_what_an_operator_brought_from_a_shadow_and_no_window_begins(house: House) -> None:
    house.games("Production", 4, 2)
    order(house, swap(3))

    order(house, undo())

    assert house.aliases() == (1, 2, 3, 4)
    assert (gauges(house)["swaps"], gauges(house)["production_games"]) == (0, 4)
    order(house, undo())
    assert house.aliases() == (3, 2, 1, 4)


def test_an_undo_takes_back_a_swap_that_came_from_the_registry(house: House) -> None:
    house.registry.named[FAMILY] = dict(zip(ALIASES, (2, 1, 3, 4), strict=True))
    adoption.adopt(house.process(), FAMILY)

    order(house, undo())

    assert house.aliases() == (1, 2, 3, 4)
    house.assert_converged()


def test_reorders_and_trainings_are_no_swaps_to_undo(house: House) -> None:
    process = house.process()
    planning.assign(process, FAMILY, {"Production": 5}, cause="training")
    planning.assign(process, FAMILY, {"B": 3, "shadow1": 2}, cause="promotion")
    head = house.ledger.head()

    with pytest.raises(Conflict, match="no swap yet that could be undone"):
        order(house, undo())

    assert house.ledger.head() == head


def test_an_undo_where_all_is_as_before_is_refused(house: House) -> None:
    swapped_by_a_cycle(house)
    for found in ((5, 1, 3, 4), (1, 2, 3, 4)):  # neither exchanges the two
        house.registry.named[FAMILY] = dict(zip(ALIASES, found, strict=True))
        assert adoption.adopt(house.process(), FAMILY)
    head = house.ledger.head()

    with pytest.raises(Conflict, match=r"the aliases are Production v1, .* already; there is nothing to move"):
        order(house, undo())

    assert house.ledger.head() == head


@pytest.mark.parametrize("gone", [1, 2, 3, 4])
def test_an_undo_is_refused_when_one_of_the_versions_is_gone(house: House, gone: int) -> None:
    swapped_by_a_cycle(house)
    planning.assign(house.process(), FAMILY, {"shadow1": 5, "shadow2": 6}, cause="training")
    del house.registry.kept[FAMILY, gone]
    head = house.ledger.head()

    with pytest.raises(Invalid, match=f"version {gone} of xgboost does not exist any more"):
        order(house, undo())

    assert house.ledger.head() == head


def test_an_undo_is_refused_when_an_alias_is_pinned_elsewhere(house: House) -> None:
    position = swapped_by_a_cycle(house)
    order(house, pin("B"))
    head = house.ledger.head()

    with pytest.raises(Conflict, match=rf"\(position {position}\) cannot be undone: .*B is pinned to version 1"):
        order(house, undo())

    assert house.ledger.head() == head


def test_a_pin_of_what_an_undo_does_not_move_is_no_hindrance(house: House) -> None:
    swapped_by_a_cycle(house)

    order(house, pin("shadow1"), undo())

    assert house.aliases() == (1, 2, 3, 4)


def test_a_preview_names_what_was_moved_and_trained_since_and_writes_nothing(house: House) -> None:
    position = swapped_by_a_cycle(house)
    process = house.process()
    house.ledger.record(training_completed(model_type=FAMILY, alias="shadow2", model_version=5))
    planning.assign(process, FAMILY, {"shadow2": 5}, cause="training")
    head, assigned = house.ledger.head(), house.registry.assigned

    shown = preview(process, undo())

    assert shown.since is not None
    assert shown.since.swap.position == position
    assert shown.since.moved == (MovedSince(head.position, "shadow2", 4, 5, "training"),)
    assert shown.since.trained == (TrainedSince(position + 1, "shadow2", 5),)
    assert isinstance(shown.event, AliasesPlanned)
    assert shown.event.assignments == assignments((2, 1, 3, 5), (1, 2, 3, 4))
    assert (house.ledger.head(), house.registry.assigned) == (head, assigned)
