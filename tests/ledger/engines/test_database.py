from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from ledger.engines import sqlite
from ledger.engines.database import POSITION_MAX, disposing, open_engine, transaction
from ledger.entries import Entry
from ledger.errors import StorageError
from ledger.store import Ledger
from tests.builders import game_started, round_played
from tests.postgresql import EVERY_ENGINE


def take_all(engine: Engine, taken: ExitStack) -> None:
    for _ in range(1_000):
        taken.enter_context(transaction(engine))


def test_a_caller_for_whom_no_connection_becomes_free_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CONNECTION_SECONDS_MAX", 0.05)
    with disposing(open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")) as engine:
        with ExitStack() as taken, pytest.raises(StorageError, match=r"every connection .* is taken"):
            take_all(engine, taken)

        with transaction(engine) as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


@pytest.fixture
def five(ledger: Ledger) -> Ledger:
    """A ledger with five events."""
    ledger.append("game-g1", [game_started(), *(round_played(round=number) for number in range(1, 5))], 0)
    return ledger


def connections_taken(engine: Engine) -> int:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


def positions(pages: Iterable[list[Entry]]) -> list[list[int]]:
    return [[entry.position for entry in page] for page in pages]


@EVERY_ENGINE
@pytest.mark.parametrize(
    ("after", "through", "expected"),
    [
        (0, None, [[1, 2], [3, 4], [5]]),
        (0, 4, [[1, 2], [3, 4]]),
        (2, 3, [[3]]),
        (2, 9, [[3, 4], [5]]),
        (3, 3, []),
        (5, None, []),
        (POSITION_MAX, None, []),
    ],
)
def test_pages_are_what_stands_between_two_positions(
    five: Ledger, after: int, through: int | None, expected: list[list[int]]
) -> None:
    assert positions(five.pages(after, through, limit=2)) == expected
    assert connections_taken(five.engine) == 0


@EVERY_ENGINE
def test_what_is_appended_while_a_page_is_looked_at_is_on_one_of_the_next(five: Ledger) -> None:
    pages = five.pages(limit=2)
    first = next(pages)
    five.append("game-g2", [game_started(), round_played()], 0)

    assert positions([first, *pages]) == [[1, 2], [3, 4], [5, 6], [7]]


@EVERY_ENGINE
def test_a_caller_who_stops_at_a_page_leaves_the_connection_to_the_next(five: Ledger) -> None:
    for _ in five.pages(limit=2):
        assert connections_taken(five.engine) == (five.engine.dialect.name == "postgresql"), "one reads ahead"
        break

    assert connections_taken(five.engine) == 0
    assert five.head().position == 5
    assert positions(five.pages(limit=3)) == [[1, 2, 3], [4, 5]]


@EVERY_ENGINE
def test_a_caller_who_fails_at_a_page_leaves_the_connection_to_the_next(five: Ledger) -> None:
    def fail() -> None:
        for page in five.pages(limit=2):
            raise LookupError(page[0].event_id)

    with pytest.raises(LookupError):
        fail()

    assert connections_taken(five.engine) == 0
    assert positions([five.read()]) == [[1, 2, 3, 4, 5]]
