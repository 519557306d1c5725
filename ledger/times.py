"""Times as text, and as the ledger stores them: microseconds since the epoch, in UTC."""

import re
from datetime import UTC, datetime, timedelta

from ledger.errors import InvalidTextError
from ledger.numbers import parse_decimal

EPOCH_MILLISECONDS_MIN = 100_000_000_000
"""1973 in milliseconds, or the year 5138 in seconds: what is greater is meant as milliseconds."""
EPOCH_SECONDS_MAX = 253_402_300_800
"""The end of the year 9999."""

_AGO = re.compile(r"-([0-9]{1,9})([smhdw])").fullmatch
_UNITS_US = {
    unit: seconds * 1_000_000
    for unit, seconds in (("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800))
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def parse_time(text: str) -> int:
    """An ISO 8601 time (UTC where it names no zone) as microseconds since the epoch. Raises InvalidTextError."""
    problem = InvalidTextError(text, "an ISO 8601 time such as 2026-11-12 or 2026-11-12T09:30:00Z")
    if not text.isascii():
        raise problem
    try:
        time = datetime.fromisoformat(text)
        return (time.replace(tzinfo=time.tzinfo or UTC) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise problem from error


def parse_when(text: str, now_us: int) -> int:
    """As `parse_time`, and a time by today: `-2h` (s, m, h, d, w), `now`, `today` and `yesterday` (at 00:00 UTC).

    Raises InvalidTextError.
    """
    if found := _AGO(text):
        return max(0, now_us - int(found[1]) * _UNITS_US[found[2]])
    midnight_us = now_us - now_us % _UNITS_US["d"]
    words = {"now": now_us, "today": midnight_us, "yesterday": midnight_us - _UNITS_US["d"]}
    if text in words:
        return words[text]
    try:
        return parse_time(text)
    except InvalidTextError as error:
        raise InvalidTextError(text, f"{error.expected}, nor -2h, today or yesterday") from error


def parse_epoch_or_time(text: str) -> int:
    """Epoch seconds, epoch milliseconds or an ISO 8601 time as microseconds since the epoch.

    It lies between 1970 and 9999. Raises InvalidTextError.
    """
    try:
        number = parse_decimal(text)
    except InvalidTextError:
        time_us = parse_time(text)
    else:
        time_us = round(number * (1_000 if abs(number) >= EPOCH_MILLISECONDS_MIN else 1_000_000))
    if not 0 <= time_us < EPOCH_SECONDS_MAX * 1_000_000:
        raise InvalidTextError(text, "a time between 1970 and 9999")
    return time_us


def show_time(time_us: int) -> str:
    """The time as ISO 8601 in UTC, to the microsecond, so that `parse_time` gives the same one.

    Any number can stand in a row that was changed: one that is no time is shown as it is.
    """
    try:
        time = _EPOCH + time_us * _MICROSECOND
    except OverflowError:
        return f"{time_us} us, which is no time"
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def show_seconds(time_us: int) -> str:
    """The time as ISO 8601 in UTC, to the second that it lies in."""
    return f"{show_time(time_us)[:19]}Z"
