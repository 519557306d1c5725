import threading
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import Engine

from gameplay.promotion import applying
from gameplay.promotion.adoption import watch
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import RejectOrder
from gameplay.promotion.rules import set_rules
from gameplay.promotion.state import Promotion
from gameplay.serving.registry_hints import RegistryHints
from gameplay.serving.threads import Threads
from ledger.vocabulary import FAMILIES
from projections.decision.rules import DEFAULT
from projections.read_models.all import ReadModels
from tests.gameplay.faults import refuse
from tests.gameplay.promotion.house import FAMILY, House, cycle, open_plan
from tests.gameplay.promotion.operator.ordering import origin
from tests.gameplay.web_clients import wait_until

REST_SECONDS = 0.1


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    house = House(engine, tmp_path / "models")
    house.bootstrap()
    return house


def test_the_whole_state_is_adopted_when_the_registry_has_come_to_rest(house: House) -> None:
    hints = RegistryHints(house.process(), Threads(), rest_seconds=REST_SECONDS)
    house.registry.named[FAMILY]["Production"] = 2  # half of an exchange
    hints.hint(FAMILY)
    house.registry.named[FAMILY]["B"] = 1
    hints.hint(FAMILY)

    wait_until(lambda: house.aliases() == (2, 1, 3, 4))


def test_a_hint_without_a_change_appends_nothing(house: House) -> None:
    hints = RegistryHints(house.process(), Threads(), rest_seconds=REST_SECONDS)
    before = house.ledger.head()
    hints.hint(FAMILY)

    wait_until(lambda: FAMILY not in hints._hinted_at)
    assert house.ledger.head() == before


def test_a_hint_that_cannot_be_followed_is_followed_by_the_watch(house: House) -> None:
    process = house.process()
    hints = RegistryHints(process, Threads(), rest_seconds=REST_SECONDS)
    house.registry.named[FAMILY]["shadow2"] = 6
    house.registry.at_call(1, refuse)
    hints.hint(FAMILY)
    wait_until(lambda: FAMILY not in hints._hinted_at)
    assert house.aliases() == (1, 2, 3, 4)

    watch(process, FAMILIES)

    assert house.aliases() == (1, 2, 3, 6)


def test_a_hint_whose_family_is_busy_is_followed_by_the_watch(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    process = Promotion(house.ledger, ReadModels(house.ledger), house.registry, turn_seconds_max=0.01)
    hints = RegistryHints(process, Threads(), rest_seconds=REST_SECONDS)
    house.registry.named[FAMILY]["shadow2"] = 6
    with process.turn(FAMILY):
        hints.hint(FAMILY)
        wait_until(lambda: "a hint from the registry could not be followed" in caplog.text)

    watch(process, FAMILIES)

    assert house.aliases() == (1, 2, 3, 6)


def test_a_hint_during_a_plan_is_followed_when_the_plan_has_ended(house: House) -> None:
    """An alias may be moved after the plan has set it, and before the plan is completed."""
    process = house.process()
    hints = RegistryHints(process, Threads(), rest_seconds=REST_SECONDS)
    open_plan(process, FAMILY, (2, 1, 3, 4))
    hints.hint(FAMILY)
    wait_until(lambda: FAMILY not in hints._hinted_at)
    applying.settle(house.process(), FAMILY)
    house.registry.named[FAMILY]["shadow2"] = 6

    watch(process, FAMILIES)

    assert house.aliases() == (2, 1, 3, 6)


def test_a_hint_while_a_plan_awaits_approval_is_followed_when_it_has_ended(house: House) -> None:
    process = house.process()
    set_rules(process, {FAMILY: structs.replace(DEFAULT, approval_seconds=3600)}, actor="settings")
    house.better_b()
    cycle(process)
    hints = RegistryHints(process, Threads(), rest_seconds=REST_SECONDS)
    house.registry.named[FAMILY]["shadow2"] = 6
    hints.hint(FAMILY)
    wait_until(lambda: FAMILY in process.problems)
    execute(process, RejectOrder(family=FAMILY, origin=origin()))

    watch(process, FAMILIES)

    assert house.aliases() == (1, 2, 3, 6)


def test_a_stop_ends_the_waiting(house: House) -> None:
    hints = RegistryHints(house.process(), Threads(), rest_seconds=3_600)
    hints.hint(FAMILY)
    hints.close()

    wait_until(lambda: not any("registry-hint" in thread.name for thread in threading.enumerate()))
