"""Clocks that a test sets."""

from datetime import UTC, datetime, timedelta

from gameplay.core import Core
from gameplay.serving.clocks import Clocks

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FIRING = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=6)
"""Later than anything that this run's ledgers are stamped with: their events have the real time."""
DAILY = f"{FIRING:%-M %-H} * * *"
"""A cron line that fires then and a day later. A line of every minute fires in any test that stands at its end."""


class SetClocks:
    """Two clocks that a test moves: time passes on both, and the wall's may be set."""

    def __init__(self, wall: datetime = NOON) -> None:
        self.wall_seconds = wall.timestamp()
        self.steady_seconds = 1_000.0
        self.clocks = Clocks(lambda: self.wall_seconds, lambda: self.steady_seconds)

    def passes(self, seconds: float) -> None:
        self.wall_seconds += seconds
        self.steady_seconds += seconds

    def reaches(self, time: datetime) -> None:
        self.passes((time - self.now).total_seconds())

    def is_set_by(self, seconds: float) -> None:
        self.wall_seconds += seconds

    @property
    def now(self) -> datetime:
        return self.clocks.now()


def at_head(core: Core, **later: float) -> SetClocks:
    """Clocks that stand at the ledger's last event, or later."""
    return SetClocks(datetime.fromtimestamp(core.ledger.head().recorded_us / 1e6, UTC) + timedelta(**later))
