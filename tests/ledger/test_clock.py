from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from ledger.clock import ClockGuard, seconds_since_boot
from ledger.errors import ClockError
from ledger.events import ClockAccepted
from ledger.store import Ledger
from tests.builders import game_started

HOUR = 3_600.0
YEARS = 10 * 365 * 24 * HOUR


class Time:
    """The two clocks of a machine."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.boot = 500.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    def guard(self) -> ClockGuard:
        return ClockGuard(jump_seconds_max=HOUR, clock=lambda: self.wall, boottime=lambda: self.boot)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(engine: Engine, time: Time) -> Ledger:
    return Ledger(engine, clock=lambda: time.wall, guard=time.guard())


@pytest.fixture
def start(ledger: Ledger) -> Callable[[str], int]:
    """Starts a game; returns the time with which that is recorded."""
    return lambda game_id: ledger.append(f"game-{game_id}", [game_started(game_id=game_id)], 0).recorded_us


def accept(engine: Engine, time: Time, reason: str = "it was wrong before") -> None:
    """Another process, which has not seen the jump, has the present time stand."""
    accepted = ClockAccepted(clock_us=int(time.wall * 1_000_000), head_us=0, reason=reason)
    Ledger(engine, clock=lambda: time.wall, guard=time.guard()).record(accepted)


@pytest.mark.parametrize("jump", [YEARS, 2 * HOUR, -2 * HOUR, -YEARS])
def test_nothing_is_written_while_the_clock_has_jumped(
    ledger: Ledger, time: Time, start: Callable[[str], int], jump: float
) -> None:
    start("before")
    time.passes(60)
    time.wall += jump

    with pytest.raises(ClockError, match=r"jumped (forward|back) by [0-9,]+ seconds.*RPS_CLOCK_AHEAD_MAX"):
        start("refused")
    with pytest.raises(ClockError):
        ledger.check()
    assert ledger.head().position == 1

    time.wall -= jump
    ledger.check()
    assert start("after") == 1_800_000_060_000_000


@pytest.mark.parametrize("jump", [HOUR - 1, -HOUR + 1])
def test_a_small_step_of_the_clock_is_believed(time: Time, start: Callable[[str], int], jump: float) -> None:
    time.wall += jump

    assert start("g1") == int(time.wall * 1_000_000)


def test_a_suspend_is_no_jump(time: Time, start: Callable[[str], int]) -> None:
    time.passes(30 * 24 * HOUR)

    assert start("g1") == int(time.wall * 1_000_000)


@pytest.mark.parametrize("jump", [YEARS, -YEARS])
def test_a_time_that_was_accepted_stands(
    engine: Engine, time: Time, start: Callable[[str], int], jump: float
) -> None:
    before = start("before")
    time.wall += jump
    with pytest.raises(ClockError):
        start("refused")
    time.passes(60)
    accept(engine, time)
    time.passes(3 * HOUR)

    assert start("after") == max(before, int(time.wall * 1_000_000))

    time.wall += jump
    with pytest.raises(ClockError):
        start("again")


def test_an_acceptance_of_another_time_changes_nothing(
    engine: Engine, time: Time, start: Callable[[str], int]
) -> None:
    accept(engine, time, "nothing was wrong")
    time.wall += 5 * HOUR
    accept(engine, time, "five hours are right")
    time.wall += YEARS

    with pytest.raises(ClockError):
        start("refused")


def test_the_head_may_be_ahead_of_the_clock(ledger: Ledger, time: Time, start: Callable[[str], int]) -> None:
    start("g1")

    time.wall -= 20 * 60

    assert ledger.ahead_seconds() == pytest.approx(20 * 60)


def test_the_time_since_boot_goes_on() -> None:
    assert 0 < seconds_since_boot() <= seconds_since_boot()
