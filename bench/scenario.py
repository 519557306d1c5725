"""What a scenario gives: two measurements taken in turn, and the ratio that is wanted of them."""

import statistics
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

RUNS = 5


class Outcome(NamedTuple):
    """A measured ratio of medians beside its target; `subject` and `reference` are the medians themselves."""

    name: str
    subject: str
    reference: str
    ratio: float
    spread: tuple[float, float]
    wanted: Literal["at least", "at most"]
    target: float

    @property
    def met(self) -> bool:
        """Whether the ratio is where it should be."""
        return self.ratio >= self.target if self.wanted == "at least" else self.ratio <= self.target


def compare(
    name: str,
    subject: Callable[[], float],
    reference: Callable[[], float],
    *,
    wanted: Literal["at least", "at most"],
    target: float,
    unit: str,
    scale: float = 1.0,
    runs: int = RUNS,
) -> Outcome:
    """Measure both in turn, `runs` times each after one warm-up; the machine's moods then hit both alike.

    The ratio is the median of the pairs' ratios, subject over reference.
    """
    subject(), reference()
    pairs = [(subject(), reference()) for _ in range(runs)]
    ratios = sorted(one / other for one, other in pairs)
    medians = [statistics.median(side) * scale for side in zip(*pairs, strict=True)]
    return Outcome(
        name,
        f"{medians[0]:,.3g} {unit}" if medians[0] < 1_000 else f"{medians[0]:,.0f} {unit}",
        f"{medians[1]:,.3g} {unit}" if medians[1] < 1_000 else f"{medians[1]:,.0f} {unit}",
        statistics.median(ratios),
        (ratios[0], ratios[-1]),
        wanted,
        target,
    )


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
