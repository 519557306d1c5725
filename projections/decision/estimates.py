"""What the runs of a simulation say, with the error that so many runs leave."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from ledger.evidence import Tally
from projections.decision.intervals import wilson

LEVEL = 0.95


class Share(NamedTuple):
    """A probability, and an interval that holds it in 95 of 100 simulations."""

    value: float
    lower: float
    upper: float


class Cycles(NamedTuple):
    """A quantile of the cycles to something, with its interval; None: it took longer than was simulated."""

    value: int | None
    lower: int | None
    upper: int | None


def share_by(first: Sequence[int], cycle: int) -> Share:
    """The share of runs in which it had happened by this cycle; `first` holds each run's own cycle, or 0."""
    happened = sum(0 < one <= cycle for one in first)
    lower, value, upper = wilson(Tally(games=len(first), wins=happened), LEVEL)
    return Share(value, lower, upper)


def quantile(first: Sequence[int], part: float) -> Cycles:
    """The cycle by which it had happened in this part of the runs; the interval is one of order statistics."""
    ordered = sorted(one or math.inf for one in first)
    spread = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(len(ordered) * part * (1 - part))

    def at(place: float) -> int | None:
        found = ordered[min(max(math.ceil(place), 1), len(ordered)) - 1]
        return None if found == math.inf else int(found)

    middle = part * len(ordered)
    return Cycles(at(middle), at(middle - spread), at(middle + spread))
