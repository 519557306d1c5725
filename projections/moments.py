"""Moments of the ledger: a position, or a time and the position that the log had reached then."""

import re
from datetime import UTC, datetime

from ledger.store import Ledger

_POSITION = re.compile(r"[0-9]{1,18}").fullmatch


class MomentError(ValueError):
    """A moment that the ledger does not reach back or forward to, or text that is none."""


def parse_time(text: str) -> int:
    """An ISO 8601 time (UTC where it names no zone) as microseconds since the epoch. Raises MomentError."""
    try:
        moment = datetime.fromisoformat(text)
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise MomentError(f"{text!r} is no ISO 8601 time such as 2026-11-12 or 2026-11-12T09:30:00Z") from error
    return round(seconds * 1_000_000)


def show_time(recorded_us: int) -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(recorded_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resolve(ledger: Ledger, text: str) -> int:
    """The position that a text means: digits are a position, anything else is a time. Raises MomentError."""
    return check_position(ledger, int(text)) if _POSITION(text) else position_at(ledger, parse_time(text))


def check_position(ledger: Ledger, position: int) -> int:
    """The position, if the ledger has it. Raises MomentError."""
    head = ledger.head().position
    if not 1 <= position <= head:
        reach = f"positions 1 to {head}" if head else "no events"
        raise MomentError(f"there is no position {position}: the ledger has {reach}")
    return position


def position_at(ledger: Ledger, time_us: int) -> int:
    """The position of the last event recorded at `time_us` or before. Raises MomentError before the first."""
    first = ledger.read(limit=1)
    if not first:
        raise MomentError("the ledger has no events")
    if time_us < first[0].recorded_us:
        began = show_time(first[0].recorded_us)
        raise MomentError(f"{show_time(time_us)} is before the ledger, which begins at {began}")
    low, high = 1, ledger.head().position
    while low < high:  # times never run back, so a handful of reads finds it without an index on time
        middle = (low + high + 1) // 2
        if ledger.read(middle - 1, limit=1)[0].recorded_us <= time_us:
            low = middle
        else:
            high = middle - 1
    return low
