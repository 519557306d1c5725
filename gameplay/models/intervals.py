"""How far an accuracy may be from what it was counted to be."""

import math
from statistics import NormalDist
from typing import NamedTuple

from gameplay.models.artifacts import Score


class Interval(NamedTuple):
    """From low to high, both included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        """Whether the value lies within."""
        assert isinstance(value, float | int)
        return self.low <= value <= self.high


def wilson(score: Score, confidence: float) -> Interval:
    """The two-sided score interval of a share; needs at least one row.

    Wilson, E. B.: Probable inference, the law of succession, and statistical inference. JASA 22 (1927).
    """
    assert score.rows > 0, "no rows, no share"
    z, rows, share = _quantile(confidence), score.rows, score.correct / score.rows
    centre = share + z * z / (2 * rows)
    margin = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    # The interval of none or all of the rows ends at the share itself, which rounding may put outside.
    return Interval(
        max(0.0, min(share, (centre - margin) / scale)), min(1.0, max(share, (centre + margin) / scale))
    )


def difference(one: Score, other: Score, confidence: float) -> Interval:
    """The two-sided hybrid score interval of one share less another, of independent rows.

    Newcombe, R. G.: Interval estimation for the difference between independent proportions, method 10.
    Statistics in Medicine 17 (1998).
    """
    first, second = wilson(one, confidence), wilson(other, confidence)
    share, subtracted = one.correct / one.rows, other.correct / other.rows
    gap = share - subtracted
    return Interval(
        gap - math.hypot(share - first.low, second.high - subtracted),
        gap + math.hypot(first.high - share, subtracted - second.low),
    )


def _quantile(confidence: float) -> float:
    assert 0 < confidence < 1
    return NormalDist().inv_cdf((1 + confidence) / 2)
