"""Intervals for the difference of two win rates, B's less Production's."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

from ledger.evidence import Tally
from projections.decision.e_process import log_beta

_HALVINGS = 45
"""They leave 3e-14 of a share, far below what is compared."""


class Interval(NamedTuple):
    """From `lower` to `upper`, both between -1 and 1."""

    lower: float
    upper: float


def newcombe(b: Tally, production: Tally, level: float) -> Interval | None:
    """Newcombe's hybrid score interval for one look; None while one side has no games.

    Its limits combine the Wilson limits of the two rates, so it stays inside [-1, 1] and does not collapse where
    a side has won all or none.

    Source: Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven
    methods, Statistics in Medicine 17(8), 1998, method 10.
    """
    if not (b.games and production.games):
        return None
    b_lower, b_rate, b_upper = wilson(b, level)
    production_lower, production_rate, production_upper = wilson(production, level)
    difference = b_rate - production_rate
    below = math.hypot(b_rate - b_lower, production_upper - production_rate)
    above = math.hypot(b_upper - b_rate, production_rate - production_lower)
    return Interval(max(difference - below, -1.0), min(difference + above, 1.0))


def wilson(tally: Tally, level: float) -> tuple[float, float, float]:
    """Wilson's score interval of one rate, (lower, rate, upper); there has to be a game."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    games, rate = tally.games, tally.wins / tally.games
    centre = rate + z * z / (2 * games)
    spread = z * math.sqrt(rate * (1 - rate) / games + z * z / (4 * games * games))
    scale = 1 + z * z / games
    # At a rate of 0 or 1 a limit is the rate itself, which rounding must not move past it.
    return min((centre - spread) / scale, rate), rate, max((centre + spread) / scale, rate)


def confidence_sequence(favourable: int, unfavourable: int, a: int, level: float) -> Interval | None:
    """Differences that the tosses so far do not speak against; None before the first toss.

    It holds at every look at once: the chance that the true difference is ever outside is at most 1 - level. It is
    every d = 2t - 1 with ln B(a+S, a+F) - ln B(a, a) - S ln t - F ln(1-t) < ln(1 / (1 - level)), where S and F are
    the tosses of the sign e-process. The estimate itself is 2S/N - 1. Source: as for `e_process`.
    """
    tosses = favourable + unfavourable
    if not tosses:
        return None
    mixture = log_beta(a + favourable, a + unfavourable) - log_beta(a, a)
    least = mixture + math.log(1 - level)

    def likely(share: float) -> bool:
        return _log_likelihood(favourable, unfavourable, share) > least

    estimate = favourable / tosses
    return Interval(2 * _edge(likely, estimate, 0.0) - 1, 2 * _edge(likely, estimate, 1.0) - 1)


def _log_likelihood(favourable: int, unfavourable: int, share: float) -> float:
    against = 1 - share
    if (favourable and not share) or (unfavourable and not against):
        return -math.inf
    return (favourable and favourable * math.log(share)) + (unfavourable and unfavourable * math.log(against))


def _edge(likely: Callable[[float], bool], inside: float, limit: float) -> float:
    """The last likely share on the way from one that is to `limit`."""
    if likely(limit):
        return limit
    outside = limit
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if likely(middle):
            inside = middle
        else:
            outside = middle
    return inside
