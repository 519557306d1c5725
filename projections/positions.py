"""Positions of the ledger, and times as the position that the ledger had reached then."""

import re
import time
from collections.abc import Callable

from ledger.entries import Head
from ledger.store import Ledger
from ledger.times import parse_when, show_time
from projections.errors import PositionError

_POSITION = re.compile(r"[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5}").fullmatch


def parse_position(text: str) -> int | None:
    """A position, with the commas that tables print or without; None if the text is none."""
    return int(text.replace(",", "")) if _POSITION(text) else None


def resolve(ledger: Ledger, text: str, *, clock: Callable[[], float] = time.time) -> int:
    """The position that a text means: digits are a position, anything else is a time, such as `-2h`.

    Raises PositionError, InvalidTextError.
    """
    position = parse_position(text)
    if position is not None:
        return check_position(ledger, position)
    return position_at(ledger, parse_when(text, int(clock() * 1_000_000)))


def check_position(ledger: Ledger, position: int) -> int:
    """The position, if the ledger has it. Raises PositionError."""
    head = ledger.head().position
    if not 1 <= position <= head:
        reach = f"positions 1 to {head}" if head else "no events"
        raise PositionError(f"there is no position {position}: the ledger has {reach}")
    return position


def check_span(since_us: int | None, until_us: int | None) -> None:
    """Raise PositionError for times that are the wrong way round: nothing found would pass for nothing there."""
    if since_us is not None and until_us is not None and since_us > until_us:
        raise PositionError("--since is later than --until: nothing is between them")


def head_at(ledger: Ledger, position: int) -> Head | None:
    """The head that the ledger had when it ended at a position; None if it does not reach there."""
    entries = ledger.read(position - 1, limit=1)
    if not entries or entries[0].position != position:
        return None
    return entries[0].head


def position_at(ledger: Ledger, time_us: int) -> int:
    """The position of the last event recorded at `time_us` or before. Raises PositionError before the first."""
    first = ledger.read(limit=1)
    if not first:
        raise PositionError("the ledger has no events")
    if time_us < first[0].recorded_us:
        began = show_time(first[0].recorded_us)
        raise PositionError(f"{show_time(time_us)} is before the ledger, which begins at {began}")
    low, high = 1, ledger.head().position
    while low < high:  # times never run back, so a handful of reads finds it without an index on time
        middle = (low + high + 1) // 2
        if ledger.read(middle - 1, limit=1)[0].recorded_us <= time_us:
            low = middle
        else:
            high = middle - 1
    return low
