from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.gameplay.promotion.house import House
from tests.projections.stories import Clock


@pytest.fixture
def clock() -> Clock:
    """The time, by which pins expire."""
    return Clock()


@pytest.fixture
def house(engine: Engine, tmp_path: Path, clock: Clock) -> House:
    house = House(engine, tmp_path / "models", clock=clock)
    house.bootstrap()
    return house
