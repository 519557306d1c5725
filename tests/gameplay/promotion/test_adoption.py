from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import structs
from sqlalchemy import Engine

from gameplay.models.errors import ModelUnavailable, RegistryUnavailable
from gameplay.promotion import adoption, applying
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import ApproveOrder, RejectOrder
from gameplay.promotion.rules import set_rules
from gameplay.promotion.state import Promotion
from ledger.events import VersionRun
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.decision.rules import DEFAULT
from projections.read_models.all import ReadModels
from tests.builders import Versions
from tests.gameplay.promotion.house import FAMILY, House, cycle, gauges, open_plan
from tests.gameplay.promotion.operator.ordering import origin


def test_a_cycle_does_not_hide_aliases_that_are_not_adopted(house: House) -> None:
    del house.registry.named[FAMILY]["shadow2"]
    process = house.process()
    adoption.adopt(process, FAMILY)

    cycle(process)

    assert "shadow2 not set" in process.problems[FAMILY]


def test_a_registry_as_the_ledger_knows_it_is_no_news(house: House) -> None:
    assert adoption.adopt(house.process(), FAMILY) is None
    assert len(house.events()) == 1


@pytest.mark.parametrize(
    ("found", "swapped"),
    [((2, 1, 3, 4), True), ((2, 3, 1, 4), False), ((1, 5, 3, 4), False), ((2, 1, 4, 3), True)],
)
def test_a_registry_that_differs_is_adopted(house: House, found: Versions, swapped: bool) -> None:
    house.games("Production", 4, 2)
    house.registry.named[FAMILY] = dict(zip(ALIASES, found, strict=True))
    process = house.process()

    adopted = adoption.adopt(process, FAMILY)

    assert adopted is not None
    assert (adopted.cause, adopted.swapped, adopted.plan, adopted.cycle) == ("registry", swapped, None, None)
    assert house.aliases() == found
    assert gauges(house)["swaps"] == swapped
    assert gauges(house)["production_games"] == (0 if swapped else 4)
    assert adoption.adopt(process, FAMILY) is None


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"Production": 1, "B": 2, "shadow1": 3}, "shadow2 not set"),
        ({}, "Production, B, shadow1, shadow2 not set"),
        ({"Production": 1, "B": 2, "shadow1": 77, "shadow2": 4}, "shadow1 name a version that does not exist"),
        (
            {"Production": 2, "B": 2, "shadow1": 3, "shadow2": 4},
            "Production and B are both version 2, as in the middle of an exchange",
        ),
    ],
)
def test_an_inconsistent_registry_is_shown_and_not_adopted(
    house: House, found: dict[Alias, int], problem: str
) -> None:
    house.registry.named[FAMILY] = found
    process = house.process()

    assert adoption.adopt(process, FAMILY) is None

    assert process.problems == {FAMILY: f"the registry's aliases are not adopted: {problem}"}
    assert house.aliases() == (1, 2, 3, 4)
    house.registry.named[FAMILY] = dict(zip(ALIASES, (1, 2, 3, 4), strict=True))
    adoption.adopt(process, FAMILY)
    assert process.problems == {}


def test_a_version_that_cannot_be_served_is_not_adopted(house: House) -> None:
    def load(family: Family, version: int) -> VersionRun:
        if version == 5:
            raise ModelUnavailable(family, version, (("load_error", "no graph"),))
        return house.registry.kept[family, version].run

    house.registry.named[FAMILY]["B"] = 5
    process = house.process(load)

    assert adoption.adopt(process, FAMILY) is None

    assert "version 5 of xgboost cannot be loaded" in process.problems[FAMILY]
    assert house.aliases() == (1, 2, 3, 4)


def test_an_exchange_made_in_two_steps_is_one_swap(house: House) -> None:
    """A tool that exchanges two aliases in the registry sets one after the other; a reload may come in between."""
    process = house.process()
    house.registry.named[FAMILY]["Production"] = 2
    assert adoption.adopt(process, FAMILY) is None
    house.registry.named[FAMILY]["B"] = 1

    adopted = adoption.adopt(process, FAMILY)

    assert adopted is not None
    assert adopted.swapped
    assert gauges(house)["swaps"] == 1


def test_the_first_aliases_of_a_family_are_its_bootstrap(engine: Engine) -> None:
    house = House(engine)

    adopted = adoption.adopt(house.process(), FAMILY)

    assert adopted is not None
    assert (adopted.cause, adopted.swapped) == ("bootstrap", False)
    assert [change.before for change in adopted.assignments] == [None] * 4
    assert house.aliases() == (1, 2, 3, 4)


def test_nothing_is_adopted_while_a_plan_is_open(house: House) -> None:
    house.better_b()
    house.registry.down = True
    process = house.process()
    cycle(process)
    house.registry.down = False
    house.registry.named[FAMILY] = dict(zip(ALIASES, (4, 3, 2, 1), strict=True))

    assert adoption.adopt(process, FAMILY) is None
    assert applying.settle(process, FAMILY)

    assert house.aliases() == house.registered() == (2, 1, 3, 4)


def test_an_adoption_gives_way_to_a_decision_made_meanwhile(house: House) -> None:
    house.better_b()
    house.registry.named[FAMILY] = dict(zip(ALIASES, (1, 2, 4, 3), strict=True))
    other = house.process()
    house.ledger.before_append(1, lambda: cycle(other))

    assert adoption.adopt(house.process(), FAMILY) is None

    assert house.aliases() == (2, 1, 3, 4)
    house.assert_converged()


def open_plans(process: Promotion) -> list[Family]:
    return [family for family in FAMILIES if process.state(family).promotion.plan]


@pytest.mark.parametrize("lost", FAMILIES)
def test_a_plan_to_a_lost_version_keeps_no_other_family_from_being_watched(house: House, lost: Family) -> None:
    process = house.process()
    for family in FAMILIES:
        open_plan(process, family, (5, 2, 3, 4) if family == lost else (2, 1, 3, 4))
    del house.registry.kept[lost, 5]

    adoption.watch(process, FAMILIES)

    assert open_plans(process) == [lost]
    assert process.problems.keys() == {lost}
    assert "no usable version 5" in process.problems[lost]


def test_a_family_whose_aliases_are_being_moved_keeps_no_other_from_being_watched(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    busy = FAMILIES[0]
    process = Promotion(
        house.ledger, ReadModels(house.ledger), house.registry, store=house.store, turn_seconds_max=0.01
    )
    for family in FAMILIES:
        open_plan(process, family, (2, 1, 3, 4))
    with ThreadPoolExecutor(1) as elsewhere, process.turn(busy):
        elsewhere.submit(adoption.watch, process, FAMILIES).result()

    assert open_plans(process) == [busy]
    assert f"the aliases of {busy} are being moved" in caplog.text


def test_the_watch_of_a_registry_that_is_away_asks_it_once(house: House) -> None:
    process = house.process()
    for family in FAMILIES:
        open_plan(process, family, (2, 1, 3, 4))
    house.registry.down = True
    before = house.registry.calls

    with pytest.raises(RegistryUnavailable):
        adoption.watch(process, FAMILIES)

    assert house.registry.calls == before + 1


@pytest.mark.parametrize("asked", [1, len(FAMILIES)], ids=["of one family", "of all"])
def test_the_watch_adopts_what_a_start_or_a_reload_could_not(house: House, asked: int) -> None:
    process = house.process()
    house.registry.down = True
    families = FAMILIES[-asked:]
    assert adoption.adopt_all(process, families).problems.keys() == set(families)
    house.registry.down = False
    for family in FAMILIES:
        house.registry.named[family]["shadow2"] = 6

    adoption.watch(process, FAMILIES)

    adopted = [family for family in FAMILIES if process.state(family).promotion.aliases["shadow2"] == 6]
    assert adopted == [*families], "and none that was not asked for: a tool may be in the middle of moving it"


def test_the_watch_adopts_what_an_adoption_has_missed_because_another_process_was_faster(house: House) -> None:
    process, other = house.process(), house.process()
    house.registry.named[FAMILY]["shadow2"] = 6
    house.ledger.before_append(1, lambda: cycle(other))
    assert adoption.adopt(process, FAMILY) is None

    adoption.watch(process, FAMILIES)

    assert house.aliases() == (1, 2, 3, 6)


def test_what_moves_while_a_plan_awaits_approval_is_shown_and_adopted_when_it_has_ended(house: House) -> None:
    process = await_approval(house)
    house.registry.named[FAMILY]["shadow2"] = 6

    assert adoption.adopt(process, FAMILY) is None

    assert "are not adopted: plan 4 awaits approval" in process.problems[FAMILY]
    adoption.watch(process, FAMILIES)
    assert house.aliases() == (1, 2, 3, 4)
    execute(process, RejectOrder(family=FAMILY, origin=origin()))
    adoption.watch(process, FAMILIES)
    assert house.aliases() == (1, 2, 3, 6)
    assert process.problems == {}


def test_what_an_approved_plan_has_set_otherwise_is_no_problem_any_more(house: House) -> None:
    process = await_approval(house)
    house.registry.named[FAMILY]["shadow2"] = 6
    adoption.adopt(process, FAMILY)

    execute(process, ApproveOrder(family=FAMILY, origin=origin()))

    assert process.problems == {}
    house.assert_converged()
    assert house.aliases() == (2, 1, 3, 4)


def await_approval(house: House) -> Promotion:
    """A process whose swap waits."""
    process = house.process()
    set_rules(process, {FAMILY: structs.replace(DEFAULT, approval_seconds=3600)}, actor="settings")
    house.better_b()
    assert cycle(process).decision == "swap_production_b"
    return process
