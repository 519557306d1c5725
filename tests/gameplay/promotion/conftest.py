from pathlib import Path

import pytest
from sqlalchemy import Engine

from gameplay.models.store import open_model_store
from tests.gameplay.promotion.house import House


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    house = House(engine, open_model_store(f"file://{tmp_path / 'models'}"))
    house.bootstrap()
    return house
