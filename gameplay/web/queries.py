"""Query parameters: unknown ones are ignored, a known one that does not parse is refused by name."""

import re
from collections.abc import Collection
from datetime import UTC, datetime

from starlette.requests import Request

from gameplay.refusals import Refusal

# 2001 in milliseconds, or the year 5138 in seconds: nothing else can be meant.
EPOCH_MILLISECONDS_MIN = 100_000_000_000
MOMENT_SECONDS_MAX = 253_402_300_800  # the end of the year 9999
_WHOLE = re.compile(r"-?[0-9]{1,20}").fullmatch


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number in [low, high]."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _WHOLE(text):  # int() would also take 1_0, and the digits of other scripts
        raise Refusal(f"{name}={text!r} is no whole number")
    number = int(text)
    if not low <= number <= high:
        raise Refusal(f"{name} must lie between {low} and {high}")
    return number


def choice(request: Request, name: str, words: Collection[str]) -> str | None:
    """One of a closed set of words."""
    text = request.query_params.get(name) or None
    if text is not None and text not in words:
        raise Refusal(f"{name}={text!r} is unknown; there are {', '.join(words)}")
    return text


def flag(request: Request, name: str) -> bool:
    """A yes or no; no by default."""
    text = request.query_params.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise Refusal(f"{name}={text!r} is neither true nor false")
    return text in ("1", "true")


def moment_us(request: Request, *names: str) -> int | None:
    """The first of the named times that is given, in microseconds since the epoch; all of them must be times."""
    moments = []
    for name in names:
        if text := request.query_params.get(name):
            try:
                moments.append(parse_moment_us(text))
            except ValueError as error:
                raise Refusal(f"{name}={text!r} is neither ISO 8601 nor an epoch time") from error
    return moments[0] if moments else None


def parse_moment_us(text: str) -> int:
    """ISO 8601 (UTC where it names no zone), epoch seconds or epoch milliseconds. Raises ValueError."""
    try:
        number = float(text)
    except ValueError:
        # A + in a query string arrives as a space.
        state = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        seconds = state.replace(tzinfo=state.tzinfo or UTC).timestamp()
    else:
        seconds = number / 1_000 if abs(number) >= EPOCH_MILLISECONDS_MIN else number
    if not 0 <= seconds < MOMENT_SECONDS_MAX:  # nor is a NaN
        raise ValueError("it must lie between 1970 and 9999")
    return round(seconds * 1_000_000)
