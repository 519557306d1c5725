"""Moments of the ledger: a position, or a time and the position that the log had reached then."""

import re
from datetime import UTC, datetime, timedelta

from ledger.store import Ledger

_POSITION = re.compile(r"[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5}").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PositionError(ValueError):
    """A moment that the ledger does not reach back or forward to, or text that is none."""


def parse_time(text: str) -> int:
    """An ISO 8601 time (UTC where it names no zone) as microseconds since the epoch. Raises MomentError."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise PositionError(f"{text!r} is no ISO 8601 time such as 2026-11-12 or 2026-11-12T09:30:00Z") from error


def show_time(recorded_us: int) -> str:
    """The time as ISO 8601 in UTC, to the microsecond, so that `parse_time` gives the same one.

    Any number can stand in a row that was changed: one that is no time is shown as it is.
    """
    try:
        moment = _EPOCH + recorded_us * _MICROSECOND
    except OverflowError:
        return f"{recorded_us} us, which is no time"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_position(text: str) -> int | None:
    """A position, with the commas that tables print or without; None if the text is none."""
    return int(text.replace(",", "")) if _POSITION(text) else None


def resolve(ledger: Ledger, text: str) -> int:
    """The position that a text means: digits are a position, anything else is a time. Raises MomentError."""
    position = parse_position(text)
    return position_at(ledger, parse_time(text)) if position is None else check_position(ledger, position)


def check_position(ledger: Ledger, position: int) -> int:
    """The position, if the ledger has it. Raises MomentError."""
    head = ledger.head().position
    if not 1 <= position <= head:
        reach = f"positions 1 to {head}" if head else "no events"
        raise PositionError(f"there is no position {position}: the ledger has {reach}")
    return position


def position_at(ledger: Ledger, time_us: int) -> int:
    """The position of the last event recorded at `time_us` or before. Raises MomentError before the first."""
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
