from collections.abc import Callable

import pytest

from gameplay.models.errors import ModelUnavailable
from gameplay.promotion.operator.execution import execute
from gameplay.refusals import Conflict, Invalid, Refusal, Unavailable
from ledger.events import AliasesAssigned, AliasesPlanned, VersionRun
from ledger.vocabulary import Family
from projections.audit.decisions import check_decisions
from projections.read_models.history import Query
from tests.builders import assignments
from tests.gameplay.promotion.house import FAMILY, House, cycle, gauges
from tests.gameplay.promotion.operator.ordering import order, swap


def test_a_swap_exchanges_production_and_b_and_begins_a_window(house: House) -> None:
    house.games("Production", 4, 2)
    cycle(house.process())

    (done,) = order(house, swap())

    planned, assigned = house.events()[-2:]
    assert isinstance(planned, AliasesPlanned)
    assert isinstance(assigned, AliasesAssigned)
    assert done.event == planned
    assert done.applied
    assert planned.assignments == assigned.assignments == assignments((1, 2, 3, 4), (2, 1, 3, 4))
    for event in (planned, assigned):
        assert (event.cause, event.cycle, event.actor, event.reason) == ("manual", None, "ada", "the campaign")
        assert (event.swapped, event.reordered, event.undoes) == (True, False, None)
    house.assert_converged()
    after = gauges(house)
    assert (after["swaps"], after["production_games"], after["cycles"]) == (1, 0, 0)
    assert (after["swap_decisions"], after["reorders"]) == (0, 0)
    assert house.process().read_models.projector.catch_up()
    assert check_decisions(house.ledger).moves == []


def test_a_move_by_hand_has_no_row_among_the_cycles(house: House) -> None:
    order(house, swap(), swap(3))
    read_models = house.process().read_models
    read_models.projector.start()

    assert read_models.history.rows(Query()) == []


@pytest.mark.parametrize(
    ("version", "after", "is_swap"),
    [(2, (2, 1, 3, 4), True), (3, (3, 2, 1, 4), False), (4, (4, 2, 3, 1), False)],
)
def test_a_version_takes_the_place_of_production_s(
    house: House, version: int, after: tuple[int, int, int, int], is_swap: bool
) -> None:
    """The tickers go to zero only where it was behind B."""
    house.games("Production", 4, 2)

    order(house, swap(version))

    assert house.aliases() == after
    assert gauges(house)["production_games"] == (0 if is_swap else 4)
    assert gauges(house)["swaps"] == is_swap
    house.assert_converged()


@pytest.mark.parametrize(
    ("version", "error", "problem"),
    [
        (1, Conflict, "version 1 of xgboost is behind Production already"),
        (6, Invalid, "version 6 of xgboost is behind no alias"),
        (99, Invalid, "version 99 of xgboost is behind no alias"),
    ],
)
def test_a_version_that_cannot_take_production_s_place_is_refused(
    house: House, version: int, error: type[Refusal], problem: str
) -> None:
    head = house.ledger.head()

    with pytest.raises(error, match=problem):
        order(house, swap(version))

    assert house.ledger.head() == head


def test_an_exchange_of_a_version_with_itself_is_refused(house: House) -> None:
    house.registry.named[FAMILY] = {"Production": 1, "B": 1, "shadow1": 3, "shadow2": 4}
    same = aliases_on_one_version(house)

    with pytest.raises(Conflict, match="there is nothing to move"):
        order(house, swap())

    assert house.events() == same


def aliases_on_one_version(house: House) -> list[object]:
    """The events of a family whose Production and B have had the same version all along."""
    stream = f"promotion-{FAMILY}"
    moved = AliasesAssigned(
        model_type=FAMILY,
        cause="registry",
        cycle=None,
        plan=None,
        assignments=assignments((1, 2, 3, 4), (1, 1, 3, 4)),
        runs=(),
        swapped=False,
        reordered=False,
    )
    house.ledger.append(stream, [moved], house.ledger.version(stream))
    return list(house.events())


def without_graph(family: Family, version: int) -> VersionRun:
    raise ModelUnavailable(family, version, (("load_error", "no graph"),))


@pytest.mark.parametrize(
    ("spoil", "error", "problem"),
    [
        (
            lambda house: house.registry.kept.pop((FAMILY, 2)),
            Invalid,
            "version 2 of xgboost does not exist any more",
        ),
        (lambda house: setattr(house.registry, "down", True), Unavailable, "nothing is moved"),
        (lambda house: (house.know_runs(), house.recount()), Conflict, r"is another one.*nothing is moved"),
    ],
)
def test_a_move_that_could_not_be_carried_out_is_refused_before_it_is_written_down(
    house: House, spoil: Callable[[House], object], error: type[Refusal], problem: str
) -> None:
    spoil(house)
    head = house.ledger.head()

    with pytest.raises(error, match=problem):
        order(house, swap())

    assert house.ledger.head() == head
    assert house.registry.assigned == 0


def test_a_version_that_cannot_be_served_is_refused(house: House) -> None:
    head = house.ledger.head()

    with pytest.raises(Invalid, match=r"cannot be loaded.*nothing is moved"):
        execute(house.process(without_graph), swap())

    assert house.ledger.head() == head


def test_a_lost_version_that_is_not_moved_is_no_hindrance(house: House) -> None:
    del house.registry.kept[FAMILY, 4]

    order(house, swap())

    assert house.aliases() == (2, 1, 3, 4)
