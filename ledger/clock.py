"""The wall clock, believed for as long as it goes the way of the time since boot."""

import threading
import time
from collections.abc import Callable
from typing import Final

from ledger.errors import ClockError

JUMP_SECONDS_MAX: Final = 3_600.0
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds_since_boot() -> float:
    """What no clock setting changes, and what goes on while the machine sleeps."""
    return time.clock_gettime(_SINCE_BOOT)


class ClockGuard:
    """Refuses a wall clock that has jumped since it was first read.

    A time in the ledger never falls, so one event that was stamped ten years ahead keeps every later one there. A
    suspend is no jump: both clocks go on. Nor is a slow correction, which moves both.
    """

    def __init__(
        self,
        *,
        jump_seconds_max: float = JUMP_SECONDS_MAX,
        clock: Callable[[], float] = time.time,
        boottime: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self.jump_seconds_max = jump_seconds_max
        self._clock = clock
        self._boottime = boottime
        self._lock = threading.Lock()
        self._since = self._now()

    def jump_seconds(self) -> float:
        """How far the wall clock is from where it should be; negative where it was set back."""
        with self._lock:
            clock, boottime = self._now()
            return clock - self._since[0] - (boottime - self._since[1])

    def check(self) -> None:
        """Raise ClockError when the wall clock has jumped by more than the limit."""
        jump = self.jump_seconds()
        if abs(jump) > self.jump_seconds_max:
            raise ClockError(jump, self.jump_seconds_max)

    def accept(self, accepted_seconds: float) -> bool:
        """Believe the clock again if an operator has accepted it at `accepted_seconds`, after its jump.

        The acceptance came within the time since the guard was made, which bounds how far the clock can have gone
        on from it. False where it is about another time than the present one.
        """
        with self._lock:
            clock, boottime = self._now()
            elapsed = boottime - self._since[1]
            expected = self._since[0] + elapsed
            if abs(accepted_seconds - expected) <= self.jump_seconds_max:
                return False
            if not -self.jump_seconds_max <= clock - accepted_seconds <= elapsed + self.jump_seconds_max:
                return False
            self._since = clock, boottime
            return True

    def _now(self) -> tuple[float, float]:
        return self._clock(), self._boottime()
