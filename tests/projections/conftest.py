from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.engines.database import open_reader
from ledger.entries import Entry
from ledger.events import Event
from ledger.store import Ledger
from tests.projections.sabotage import writable_copy
from tests.projections.stories import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Ledger:
    return Ledger(engine, clock=clock)


@pytest.fixture(scope="module")
def events(example: Path) -> Iterator[list[tuple[Entry, Event]]]:
    """What the example holds."""
    engine = open_reader(f"sqlite:///{example}")
    ledger = Ledger(engine)
    yield [(entry, ledger.decode(entry)) for entry in ledger.read(limit=100_000)]
    engine.dispose()


@pytest.fixture
def copy(example: Path, tmp_path: Path) -> Iterator[Ledger]:
    """The example, for writing."""
    with writable_copy(example, tmp_path) as ledger:
        yield ledger


@pytest.fixture
def copied(example: Path, tmp_path: Path) -> Iterator[Path]:
    """The example's file, for writing."""
    with writable_copy(example, tmp_path):
        yield tmp_path / "copy.db"
