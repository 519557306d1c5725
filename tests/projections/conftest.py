import pytest
from sqlalchemy import Engine

from ledger.store import Ledger
from tests.projections.stories import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Ledger:
    return Ledger(engine, clock=clock)
