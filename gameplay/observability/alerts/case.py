"""A story for the unit tests of an alert."""

from typing import NamedTuple

Labels = dict[str, str]


class Case(NamedTuple):
    """Series in promtool's notation, one value every `step` minutes; minute -> the labels of what fires then."""

    title: str
    story: str
    series: dict[str, str]
    firing: dict[int, list[Labels]]
    step: int = 1
