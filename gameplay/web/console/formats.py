"""How numbers, times and words are written in a page."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ledger.vocabulary import FAMILY_OF_POLICY
from projections.read_models.history_row import TITLES

NO_BREAK: Final = "\u00a0"
MINUS: Final = "\u2212"
DASH: Final = "\u2013"
NOTHING: Final = "\u2014"

POLICY_OF: Final = {family: policy for policy, family in FAMILY_OF_POLICY.items()}
FAMILY_NAMES: Final = {
    "feedforward_nn": "Neural network",
    "xgboost": "Gradient boosting",
    "multinomial_logistic": "Logistic regression",
}
PLAYER_NAMES: Final = {"human": "people", "script": "other scripts"}
CAUSES: Final = {
    "promotion": "by a cycle",
    "training": "by a training",
    "manual": "by hand",
    "bootstrap": "at the first start",
    "report": "reported from outside",
    "registry": "found in the registry",
}


def whole(number: int | None) -> str:
    """86394 -> 86,394."""
    return NOTHING if number is None else f"{number:,}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.508 -> 50.8 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f}{NO_BREAK}%"


def percents(lower: float, upper: float) -> str:
    """An interval of shares: 44.1-57.3 %."""
    return f"{lower * 100:.1f}{DASH}{upper * 100:.1f}{NO_BREAK}%"


def points(difference: float | None) -> str:
    """A difference of shares, in percentage points with its sign: +8.5 points."""
    if difference is None:
        return NOTHING
    return f"{signed(difference * 100, 1)}{NO_BREAK}points"


def signed(number: float, digits: int) -> str:
    """With its sign, and a minus as long as a plus."""
    return f"{number:+.{digits}f}".replace("-", MINUS)


def decimal(number: float | None, digits: int = 3) -> str:
    """A statistic; an interval's end keeps its sign."""
    return NOTHING if number is None else f"{number:.{digits}f}".replace("-", MINUS)


def p_value(p: float | None) -> str:
    """Small ones are not written as zero."""
    if p is None:
        return NOTHING
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def e_value(log_e: float | None) -> str:
    """E from its logarithm, which may be too large for a number."""
    if log_e is None:
        return NOTHING
    return f"{math.exp(log_e):.3g}" if abs(log_e) < 20 else f"e^{log_e:.1f}".replace("-", MINUS)


def decision(word: str) -> str:
    """A decision in plain words."""
    return TITLES.get(word, word)


def counted(number: int, one: str, many: str | None = None) -> str:
    """1 game, 2 games."""
    return f"{number:,}{NO_BREAK}{one if number == 1 else many or one + 's'}"


def family_name(family: str) -> str:
    """A family in plain words."""
    return FAMILY_NAMES.get(family, family)


def cause(word: str | None) -> str:
    """Why aliases moved, in plain words."""
    return CAUSES.get(word or "", "")


def player(name: str) -> str:
    """A scripted player's name, and who stands behind a kind of players."""
    return PLAYER_NAMES.get(name, name)


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "whole": whole,
    "percent": percent,
    "points": points,
    "signed": signed,
    "decimal": decimal,
    "p_value": p_value,
    "e_value": e_value,
    "decision": decision,
    "counted": counted,
    "family_name": family_name,
    "cause": cause,
    "player": player,
    "pretty": pretty,
}
