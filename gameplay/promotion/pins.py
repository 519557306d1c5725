"""Pins as whatever moves aliases has to heed them, and the end of those that have expired."""

from collections.abc import Mapping

from gameplay.promotion.state import Promotion, StateAt
from ledger.events import AliasUnpinned
from ledger.vocabulary import ALIASES, Alias, Family
from projections.decision.pins import held, holding
from projections.read_models.moves import Pin


def holding_at(state: StateAt) -> dict[Alias, Pin]:
    """Alias -> its pin, of those that have not expired."""
    pinned = holding(state.promotion, state.now_us)
    return {alias: pinned[alias] for alias in ALIASES if alias in pinned}


def against(state: StateAt, versions: Mapping[Alias, int]) -> str | None:
    """Why a pin keeps the aliases from these versions; None where none does.

    An alias that an outside tool has moved away from what is pinned may be moved back to it.
    """
    for alias, pin in holding_at(state).items():
        wanted = versions.get(alias)
        if wanted not in (None, state.promotion.aliases.get(alias), pin.version):
            return held(alias, pin)
    return None


def expired(state: StateAt) -> list[AliasUnpinned]:
    """The end of each pin whose time has come."""
    return [
        AliasUnpinned(
            model_type=state.family,
            alias=alias,
            version=state.promotion.pins[alias].version,
            cause="expired",
            actor=None,
            reason=None,
            key=None,
        )
        for alias in ALIASES
        if alias in state.promotion.pins and not state.promotion.pins[alias].holds(state.now_us)
    ]


def expire(promotion: Promotion, family: Family) -> list[AliasUnpinned]:
    """Record the end of each pin that has expired. Raises OvertakenError when another process was there first.

    An append of its own: what a cycle decides from has to be looked at after everything before it on the stream.
    """
    state = promotion.state(family)
    ended = expired(state)
    if ended:
        promotion.append(state, ended)
    return ended
