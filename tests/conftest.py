from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from ledger.engines import open_engine
from ledger.store import Ledger
from migrations import upgrade

# A deadline is an assertion about time, which a busy machine fails.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A new database file with every table."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)
