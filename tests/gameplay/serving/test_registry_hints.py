import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gameplay.serving.registry_hints import RegistryHints
from gameplay.serving.threads import Threads
from tests.gameplay.promotion.house import FAMILY, House
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


def test_a_stop_ends_the_waiting(house: House) -> None:
    hints = RegistryHints(house.process(), Threads(), rest_seconds=3_600)
    hints.hint(FAMILY)
    hints.close()

    wait_until(lambda: not any("registry-hint" in thread.name for thread in threading.enumerate()))
