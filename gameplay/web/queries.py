"""Query parameters: unknown ones are ignored, a known one that does not parse is refused by name."""

from collections.abc import Collection

from starlette.requests import Request

from gameplay.refusals import Refusal
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole
from ledger.times import parse_epoch_or_time


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number in [low, high]."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = parse_whole(text)
    except InvalidTextError as error:
        raise Refusal(f"{name}={text!r} is no whole number") from error
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
                moments.append(parse_instant(text))
            except InvalidTextError as error:
                raise Refusal(f"{name}={text!r} is neither ISO 8601 nor an epoch time") from error
    return moments[0] if moments else None


def parse_instant(text: str) -> int:
    """As `ledger.times.parse_epoch_or_time`: a + in a query string arrives as a space."""
    return parse_epoch_or_time(text.replace(" ", "+") if "T" in text else text)
