"""A story for the unit tests of an alert."""

from typing import NamedTuple

Labels = dict[str, str]


class Case(NamedTuple):
    """Series in promtool's notation, a value each `step` minutes; after so many minutes, which alerts."""

    title: str
    story: str
    series: dict[str, str]
    moments: dict[int, list[Labels]]
    step: int = 1
