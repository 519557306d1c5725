"""Query parameters: unknown ones are ignored; a known one that is wrong, or comes twice, is refused by name."""

from collections.abc import Sequence
from typing import TypeVar

from starlette.requests import Request

from gameplay.refusals import Refusal
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole
from ledger.times import parse_epoch_or_time

Word = TypeVar("Word", bound=str)


def one(request: Request, name: str) -> str | None:
    """The parameter's text; of two, neither is better than the other."""
    texts = request.query_params.getlist(name)
    if len(texts) > 1:
        raise Refusal(f"{name} is given {len(texts)} times; give it once")
    return texts[0] if texts else None


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number in [low, high]."""
    text = one(request, name)
    if text is None:
        return default
    try:
        number = parse_whole(text)
    except InvalidTextError as error:
        raise Refusal(f"{name}={text!r} is no whole number") from error
    if not low <= number <= high:
        raise Refusal(f"{name} must lie between {low} and {high}")
    return number


def choice(request: Request, name: str, words: Sequence[Word]) -> Word | None:
    """One of a closed set of words; empty is none of them."""
    text = one(request, name)
    return _word(name, text, words) if text else None


def choices(request: Request, name: str, words: Sequence[Word]) -> tuple[Word, ...]:
    """Any of a closed set of words: the parameter may be repeated."""
    return tuple(_word(name, text, words) for text in request.query_params.getlist(name) if text)


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A yes or no."""
    text = (one(request, name) or "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise Refusal(f"{name}={text!r} is neither true nor false")
    return text in ("1", "true") if text else default


def time_us(request: Request, *names: str) -> int | None:
    """The first of the named times that is given, in microseconds since the epoch; all of them must be times."""
    times = []
    for name in names:
        if text := one(request, name):
            try:
                times.append(parse_instant(text))
            except InvalidTextError as error:
                raise Refusal(f"{name}={text!r} is neither ISO 8601 nor an epoch time") from error
    return times[0] if times else None


def parse_instant(text: str) -> int:
    """As `ledger.times.parse_epoch_or_time`: a + in a query string arrives as a space."""
    return parse_epoch_or_time(text.replace(" ", "+") if "T" in text else text)


def _word(name: str, text: str, words: Sequence[Word]) -> Word:
    for word in words:
        if word == text:
            return word
    raise Refusal(f"{name}={text!r} is unknown; there are {', '.join(words)}")
