"""Numbers as they are typed: ASCII digits, a sign and a point, within limits."""

import math
from typing import Any

import click

from ledger.errors import InvalidTextError
from ledger.numbers import parse_alpha, parse_decimal, parse_whole

_UNITS = {"s": 1, "m": 60, "h": 3_600}


class WholeType(click.ParamType[int]):
    """A whole number. Python's own `int`, which click's ranges use, also takes `1_0` and digits of any script."""

    name = "number"

    def __init__(self, least: int, most: int = 1_000_000_000) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            number = value if isinstance(value, int) else parse_whole(str(value))
        except InvalidTextError as error:
            self.fail(str(error), param, ctx)
        if not self._least <= number <= self._most:
            self.fail(f"{value} does not lie between {self._least} and {self._most:,}", param, ctx)
        return number


SEED = WholeType(-(2**63), 2**63)


class DecimalType(click.ParamType[float]):
    """A number with or without a fraction."""

    name = "decimal"

    def __init__(self, least: float, most: float = math.inf) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            number = value if isinstance(value, float) else float(parse_decimal(str(value)))
        except InvalidTextError as error:
            self.fail(str(error), param, ctx)
        if not self._least <= number <= self._most:
            limits = f"between {self._least:g} and {self._most:g}" if self._most < math.inf else "zero or more"
            self.fail(f"{value} must be {limits}", param, ctx)
        return number


class AlphaType(click.ParamType[str]):
    """A decimal between 0 and 1, kept as it was written."""

    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text of a decimal that can be an alpha."""
        try:
            parse_alpha(str(value))
        except InvalidTextError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class DurationType(click.ParamType[int]):
    """A number of seconds, as 60, 60s, 2m or 1h."""

    name = "duration"

    def __init__(self, most_seconds: int, why: str) -> None:
        """`why` ends the sentence that refuses a longer one."""
        self._most_seconds = most_seconds
        self._why = why

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds."""
        if isinstance(value, int):
            return value
        text = str(value)
        digits, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
        try:
            seconds = parse_whole(digits) * _UNITS[unit]
        except InvalidTextError:
            seconds = 0
        if not 1 <= seconds <= self._most_seconds:
            self.fail(f"{text!r} is no duration such as 60s or 2m, {self._why}", param, ctx)
        return seconds
