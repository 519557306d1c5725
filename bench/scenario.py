"""What a scenario gives: two measurements taken in turn, and the ratio that is wanted of them."""

import statistics
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

RUNS = 5
RUNS_OF_LOADS = 15
"""Where moves are timed: a snapshot, a seal or a look at the registry falls into some loads, not into others."""

Wanted = Literal["at least", "at most", "as it is"]
"""`as it is`: the ratio has no target."""


class LeftOutError(Exception):
    """A row that cannot be measured here; says what is missing."""


class Outcome(NamedTuple):
    """A measured ratio of medians beside its target; `subject` and `reference` are the medians themselves."""

    name: str
    subject: str
    reference: str
    ratio: float
    spread: tuple[float, float]
    wanted: Wanted
    target: float | None

    @property
    def met(self) -> bool:
        """Whether the ratio is where it should be."""
        match self.wanted, self.target:
            case "at least", float() | int() as least:
                return self.ratio >= least
            case "at most", float() | int() as most:
                return self.ratio <= most
            case _:
                return True


def compare(
    name: str,
    subject: Callable[[], float],
    reference: Callable[[], float],
    *,
    wanted: Wanted,
    target: float | None,
    unit: str,
    scale: float = 1.0,
    runs: int = RUNS,
    warm_up: bool = True,
) -> Outcome:
    """Measure both in turn, `runs` times each after one warm-up; the machine's moods then hit both alike.

    Every other time the reference comes first: what one of them leaves to be done falls to whichever follows.
    The ratio is the median of the pairs' ratios, subject over reference.
    """
    if warm_up:
        subject(), reference()
    pairs = [_pair(subject, reference, turned=bool(run % 2)) for run in range(runs)]
    ratios = sorted(one / other for one, other in pairs)
    medians = [statistics.median(side) * scale for side in zip(*pairs, strict=True)]
    return Outcome(
        name,
        shown(medians[0], unit),
        shown(medians[1], unit),
        statistics.median(ratios),
        (ratios[0], ratios[-1]),
        wanted,
        target,
    )


def _pair(subject: Callable[[], float], reference: Callable[[], float], *, turned: bool) -> tuple[float, float]:
    if turned:
        other = reference()
        return subject(), other
    return subject(), reference()


def shown(value: float, unit: str) -> str:
    """Three digits, or all of those before the point."""
    return f"{value:,.3g} {unit}" if value < 1_000 else f"{value:,.0f} {unit}"


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def cpu_seconds(action: Callable[[], object], *, calls: int = 1) -> float:
    """The CPU of one call, of so many in turn: for what computes on one thread, whatever else the machine does."""
    began = time.thread_time()
    for _ in range(calls):
        action()
    return (time.thread_time() - began) / calls
