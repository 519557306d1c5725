"""One family under two rules: its cycles, its swaps, and how long the better version was Production in each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from ledger.events import CycleDecided
from ledger.evidence import Tally
from projections.read_models.counting import NO_GAMES

GAMES_FEW = 10
"""A win rate over fewer games than this says little: at even odds its standard error is 16 points or more."""


class Cycle(Struct, frozen=True):
    """One cycle in both histories."""

    position: int
    recorded_us: int
    model_type: str
    actual: CycleDecided
    counterfactual: CycleDecided
    exact: bool

    @property
    def differs(self) -> bool:
        """Whether the other rule would have decided or moved otherwise."""
        return (self.actual.decision, self.actual.reordered) != (
            self.counterfactual.decision,
            self.counterfactual.reordered,
        )


class Period(NamedTuple):
    """From this position on, these versions were behind Production and B."""

    position: int
    recorded_us: int
    production: int
    b: int


class Time(NamedTuple):
    """How long the better of two versions was Production, and how long neither was better, of the whole time."""

    better_seconds: float
    level_seconds: float
    whole_seconds: float


class Histories(Struct, frozen=True):
    """One family under both rules.

    `parted_position`: where the aliases first differ; `exact_until`: the last position up to which the
    counterfactual history needs no game that was not played. Both None: never. `unused_games`: games that it could
    not use, because the version that played them would have been a shadow.
    """

    model_type: str
    cycles: tuple[Cycle, ...]
    actual_periods: tuple[Period, ...]
    counterfactual_periods: tuple[Period, ...]
    parted_position: int | None
    exact_until: int | None
    unused_games: int
    tallies: dict[int, Tally]
    """Version -> what it has shown over the whole ledger."""
    last_us: int

    @property
    def actual_swaps(self) -> list[Period]:
        """The swaps that happened."""
        return _swaps(self.actual_periods)

    @property
    def counterfactual_swaps(self) -> list[Period]:
        """The swaps that the other rule would have made."""
        return _swaps(self.counterfactual_periods)

    @property
    def compared(self) -> dict[int, Tally]:
        """The versions that were behind Production or B in either history, in order, with their tallies."""
        periods = (*self.actual_periods, *self.counterfactual_periods)
        versions = {version for period in periods for version in (period.production, period.b)}
        return {version: self.tallies.get(version, NO_GAMES) for version in sorted(versions)}

    def time(self, periods: Sequence[Period]) -> Time:
        """How the time since the family's first aliases was spent; all zero where it has none yet.

        Better: by the win rates over the whole ledger, as only hindsight knows them. Neither is better while the
        two have the same rate, or one of them never played. The whole is the same for both histories, so that
        their shares of it can be compared.
        """
        if not periods:
            return Time(0.0, 0.0, 0.0)
        better = level = 0
        ends_us = [*(period.recorded_us for period in periods[1:]), self.last_us]
        for period, end_us in zip(periods, ends_us, strict=True):
            production, b = self._rate(period.production), self._rate(period.b)
            length_us = end_us - period.recorded_us
            if production is None or b is None or production == b:
                level += length_us
            elif production > b:
                better += length_us
        whole = self.last_us - periods[0].recorded_us
        return Time(better / 1_000_000, level / 1_000_000, whole / 1_000_000)

    def _rate(self, version: int) -> float | None:
        tally = self.tallies.get(version, NO_GAMES)
        return tally.wins / tally.games if tally.games else None


def _swaps(periods: Sequence[Period]) -> list[Period]:
    return [
        after
        for before, after in pairwise(periods)
        if (before.production, before.b) == (after.b, after.production) and before.b != before.production
    ]
