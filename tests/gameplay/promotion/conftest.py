from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.gameplay.promotion.house import House


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    house = House(engine, tmp_path / "models")
    house.bootstrap()
    return house
