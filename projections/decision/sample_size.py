"""How many games a difference needs to show, and when the games are few."""

import math
from fractions import Fraction
from statistics import NormalDist
from typing import Final

from ledger.evidence import Tally

GAIN: Final = Fraction(1, 10)
"""The difference that the number of games is for: ten points."""
POWER: Final = 0.8
_ARM_SMALL = 30
_CELL_SMALL = 5


def games_needed(production_rate: float, b_rate: float, alpha: float, power: float = POWER) -> float:
    """Games of each side for which the pooled one-sided z-test, made once, finds the better B with this power.

    n = (z_alpha sqrt(2 q (1-q)) + z_power sqrt(p_P (1-p_P) + p_B (1-p_B)))^2 / (p_B - p_P)^2, where q is the mean
    of the two rates and z_alpha, z_power are upper quantiles. The rates have to differ.

    Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd edition, chapter 4, without
    the continuity correction.
    """
    # The lower quantile and its sign: 1 - alpha would be 1 for an alpha that is a very small float.
    z_alpha, z_power = -NormalDist().inv_cdf(alpha), NormalDist().inv_cdf(power)
    pooled = (production_rate + b_rate) / 2
    alike = z_alpha * math.sqrt(2 * pooled * (1 - pooled))
    apart = z_power * math.sqrt(production_rate * (1 - production_rate) + b_rate * (1 - b_rate))
    # Below zero no game at all is needed: an alpha near 1 swaps on less evidence than the power asks for.
    return (max(alike + apart, 0.0) / (b_rate - production_rate)) ** 2


def games_needed_for_gain(production: Tally, alpha: float) -> int | None:
    """Games of each side that a B better by GAIN needs at Production's present rate.

    None while Production has no games, and where it wins so often that there is no such B.
    """
    if not production.games:
        return None
    rate = Fraction(production.wins, production.games)
    if rate + GAIN > 1:
        return None
    return math.ceil(games_needed(float(rate), float(rate + GAIN), alpha))


def is_small(b: Tally, production: Tally) -> bool:
    """Whether the z-test's normal distribution is a poor stand-in: a small side, or few wins or other games."""
    cells = (b.wins, b.games - b.wins, production.wins, production.games - production.wins)
    return min(b.games, production.games) < _ARM_SMALL or min(cells) < _CELL_SMALL
