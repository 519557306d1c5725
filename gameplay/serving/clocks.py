"""The two clocks of a process: the wall's, which may be set, and one that only ever runs on."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from ledger.clock import seconds_since_boot


class Clocks(NamedTuple):
    """Durations, waits and idleness are measured by `steady`; `wall` says what o'clock it is."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = seconds_since_boot

    def now(self) -> datetime:
        """The time on the wall, in UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)

    def ahead_seconds(self) -> float:
        """How far the wall is ahead of the steady clock: it changes when, and only when, the wall is set."""
        return self.wall() - self.steady()
