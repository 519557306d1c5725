import pytest
from sqlalchemy import Engine

from ledger.errors import InvalidTextError
from ledger.store import Ledger
from ledger.times import show_time
from projections.errors import PositionError
from projections.positions import check_position, position_at, resolve
from tests.builders import game_started
from tests.projections.stories import Clock


@pytest.fixture
def ledger(ledger: Ledger, clock: Clock) -> Ledger:
    """Ten events, two in each second from 100 on."""
    for number in range(10):
        clock.now = 100.0 + number // 2
        ledger.append(f"game-{number}", [game_started(game_id=f"g{number}")], 0)
    return ledger


@pytest.mark.parametrize(
    ("seconds", "position"), [(100, 2), (100.9, 2), (101, 4), (103, 8), (104, 10), (10_000, 10)]
)
def test_a_time_means_the_last_event_until_then(ledger: Ledger, seconds: float, position: int) -> None:
    assert position_at(ledger, round(seconds * 1_000_000)) == position


def test_a_time_before_the_ledger_is_refused(ledger: Ledger) -> None:
    with pytest.raises(PositionError, match=r"before the ledger, which begins at 1970-01-01T00:01:40.000000Z"):
        position_at(ledger, 99_999_999)


@pytest.mark.parametrize(
    ("text", "position"), [("1", 1), ("10", 10), ("0,010", 10), ("1970-01-01T00:01:42Z", 6), ("2026-01-01", 10)]
)
def test_a_position_is_given_as_such_or_as_a_time(ledger: Ledger, text: str, position: int) -> None:
    assert resolve(ledger, text) == position


@pytest.mark.parametrize(
    "text", ["0", "11", "-1", "tomorrow", "", "2026-13-01", "9" * 40, "1,0", ",1", "1,", "1,0000"]
)
def test_what_is_no_position_of_the_ledger_is_refused(ledger: Ledger, text: str) -> None:
    with pytest.raises((PositionError, InvalidTextError)):
        resolve(ledger, text)


def test_an_empty_ledger_has_no_position(engine: Engine) -> None:
    with pytest.raises(PositionError, match="no events"):
        position_at(Ledger(engine), 1)
    with pytest.raises(PositionError, match="the ledger has no events"):
        check_position(Ledger(engine), 1)


def test_the_shown_time_of_an_event_means_that_event(ledger: Ledger, clock: Clock) -> None:
    clock.now = 200.123456
    ledger.append("game-late", [game_started(game_id="late")], 0)
    (entry,) = ledger.read(10)

    assert resolve(ledger, show_time(entry.recorded_us)) == 11
