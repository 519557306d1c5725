"""Numbers as text: ASCII digits, a sign and a point, and nothing else.

Python's own parsers also take `1_0`, blanks, exponents, `inf` and the digits of other scripts. What one part of
the system takes, another one, or a client in another language, would then refuse.
"""

import re
from decimal import Decimal

from ledger.errors import InvalidTextError

DIGITS_MAX = 100
"""No number that is meant has more, and the time that a conversion takes grows with the square of them."""

_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)").fullmatch


def parse_whole(text: str) -> int:
    """A whole number. Raises InvalidTextError."""
    if len(text) > DIGITS_MAX or not _WHOLE(text):
        raise InvalidTextError(text, "a whole number")
    return int(text)


def parse_decimal(text: str) -> Decimal:
    """A number, exactly as it is written. Raises InvalidTextError."""
    if len(text) > DIGITS_MAX or not _DECIMAL(text):
        raise InvalidTextError(text, "a number written in digits, such as 3 or 0.25")
    return Decimal(text)


def parse_alpha(text: str) -> Decimal:
    """A significance level. Raises InvalidTextError for what is not between 0 and 1, as a float too."""
    problem = InvalidTextError(text, "a decimal between 0 and 1, such as 0.20")
    try:
        alpha = parse_decimal(text)
    except InvalidTextError:
        raise problem from None
    if not is_alpha(alpha):
        raise problem
    return alpha


def is_alpha(value: Decimal) -> bool:
    """Whether a number is a significance level: between 0 and 1 as a float too, for neither has a quantile."""
    return not value.is_nan() and 0 < float(value) < 1
