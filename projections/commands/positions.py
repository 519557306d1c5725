"""Positions and anchors, as they are typed."""

import re
import time
from typing import Any

import click

from ledger.times import parse_when
from ledger.verification.walk import Anchor
from projections.positions import parse_position

_HASH = re.compile(r"[0-9a-fA-F]{64}").fullmatch


class PositionType(click.ParamType[int]):
    """A position, as it is stored or as a table shows it: 7550 or 7,550."""

    name = "position"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The position."""
        position = value if isinstance(value, int) else parse_position(str(value))
        if position is None or position < self._least:
            self.fail(f"{value!r} is no position such as 7550 or 7,550", param, ctx)
        return position


class TimeType(click.ParamType[int]):
    """A time, in microseconds since the epoch: ISO 8601, or by today."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002
        """The time. Raises InvalidTextError, which the program says in one line."""
        return value if isinstance(value, int) else parse_when(str(value), int(time.time() * 1_000_000))


class AnchorType(click.ParamType[Anchor]):
    """POSITION:HASH."""

    name = "position:hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Anchor:
        """An anchor from its text."""
        before, _, chain_hash = str(value).partition(":")
        position = parse_position(before)
        if position is None or not _HASH(chain_hash):
            self.fail(f"{value!r} is no anchor: write a position, a colon and 64 hexadecimal digits", param, ctx)
        return Anchor(position, bytes.fromhex(chain_hash))
