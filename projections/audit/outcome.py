"""One family under two rules: its cycles, its swaps, and how long the better version was Production in each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from ledger.events import CycleDecided

GAMES_FEW = 10
"""A win rate over fewer games than this says little: at even odds its standard error is 16 points or more."""


class Cycle(Struct, frozen=True):
    """One cycle in both histories."""

    position: int
    recorded_us: int
    model_type: str
    actual: CycleDecided
    other: CycleDecided
    exact: bool

    @property
    def differs(self) -> bool:
        """Whether the other rule would have decided or moved otherwise."""
        return (self.actual.decision, self.actual.reordered) != (self.other.decision, self.other.reordered)


class Reign(NamedTuple):
    """From this moment on, these versions stood behind Production and B."""

    position: int
    recorded_us: int
    production: int
    b: int


class Score(NamedTuple):
    """What a version won of what it played."""

    won: int
    played: int


class Time(NamedTuple):
    """How long the better of two versions was Production, and how long neither was better, of the whole time."""

    better_seconds: float
    level_seconds: float
    whole_seconds: float


class Outcome(Struct, frozen=True):
    """One family under both rules.

    `parted_position`: where the aliases first differ; `exact_until`: the last position up to which the other
    history needs no game that was not played. Both None: never. `unused_games`: games that the other history
    could not use, because the version that played them would have been a shadow.
    """

    model_type: str
    cycles: tuple[Cycle, ...]
    actual_reigns: tuple[Reign, ...]
    other_reigns: tuple[Reign, ...]
    parted_position: int | None
    exact_until: int | None
    unused_games: int
    scores: dict[int, Score]
    """Version -> what it has shown over the whole ledger."""
    last_us: int

    @property
    def actual_swaps(self) -> list[Reign]:
        """Where Production really changed hands with B."""
        return _swaps(self.actual_reigns)

    @property
    def other_swaps(self) -> list[Reign]:
        """Where it would have."""
        return _swaps(self.other_reigns)

    @property
    def compared(self) -> dict[int, Score]:
        """The versions that stood behind Production or B in either history, in order, with their scores."""
        reigns = (*self.actual_reigns, *self.other_reigns)
        versions = {version for reign in reigns for version in (reign.production, reign.b)}
        return {version: self.scores.get(version, Score(0, 0)) for version in sorted(versions)}

    def time(self, reigns: Sequence[Reign]) -> Time:
        """How the time since the family's first aliases was spent; all zero where it has none yet.

        Better: by the win rates over the whole ledger, as only hindsight knows them. Neither is better while the
        two have the same rate, or one of them never played. The whole is the same for both histories, so that
        their shares of it can be compared.
        """
        if not reigns:
            return Time(0.0, 0.0, 0.0)
        better = level = 0
        ends_us = [*(reign.recorded_us for reign in reigns[1:]), self.last_us]
        for reign, end_us in zip(reigns, ends_us, strict=True):
            production, b = self._rate(reign.production), self._rate(reign.b)
            length_us = end_us - reign.recorded_us
            if production is None or b is None or production == b:
                level += length_us
            elif production > b:
                better += length_us
        whole = self.last_us - reigns[0].recorded_us
        return Time(better / 1_000_000, level / 1_000_000, whole / 1_000_000)

    def _rate(self, version: int) -> float | None:
        won, played = self.scores.get(version, (0, 0))
        return won / played if played else None


def _swaps(reigns: Sequence[Reign]) -> list[Reign]:
    return [
        after
        for before, after in pairwise(reigns)
        if (before.production, before.b) == (after.b, after.production) and before.b != before.production
    ]
