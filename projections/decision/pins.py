"""What an operator has pinned, as far as it holds a cycle back."""

from collections.abc import Mapping

from ledger.times import show_time
from ledger.vocabulary import PLAYED_ALIASES
from projections.decision.rules import Verdict
from projections.read_models.moves import Pin
from projections.read_models.standings import PromotionState


def holding(promotion: PromotionState, now_us: int) -> dict[str, Pin]:
    """Alias -> its pin, of those that have not expired."""
    return {alias: pin for alias, pin in promotion.pins.items() if pin.holds(now_us)}


def held_back(verdict: Verdict, pinned: Mapping[str, Pin]) -> Verdict:
    """The verdict itself, or Production retained where a pin holds one of the two that a swap would exchange."""
    if verdict.decision != "swap_production_b":
        return verdict
    for alias in PLAYED_ALIASES:
        if alias in pinned:
            reason = f"{verdict.reason} Held back: {held(alias, pinned[alias])}."
            return verdict._replace(decision="retain_production", reason_code="pinned", reason=reason)
    return verdict


def held(alias: str, pin: Pin) -> str:
    """That the alias is held, in words."""
    until = "" if pin.expires_us is None else f" until {show_time(pin.expires_us)}"
    return f"{alias} is pinned to version {pin.version}{until}, by {pin.actor}"
