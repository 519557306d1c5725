"""Clocks that a test sets."""

from datetime import UTC, datetime

from gameplay.serving.clocks import Clocks

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class SetClocks:
    """Two clocks that a test moves: time passes on both, and the wall's may be set."""

    def __init__(self, wall: datetime = NOON) -> None:
        self.wall_seconds = wall.timestamp()
        self.steady_seconds = 1_000.0
        self.clocks = Clocks(lambda: self.wall_seconds, lambda: self.steady_seconds)

    def passes(self, seconds: float) -> None:
        self.wall_seconds += seconds
        self.steady_seconds += seconds

    def is_set_by(self, seconds: float) -> None:
        self.wall_seconds += seconds

    @property
    def now(self) -> datetime:
        return self.clocks.now()
