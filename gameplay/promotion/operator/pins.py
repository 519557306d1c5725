"""Hold a version behind an alias, and let it go."""

from typing import Final

from gameplay.promotion.operator.orders import PinOrder, UnpinOrder
from gameplay.promotion.pins import holding_at
from gameplay.promotion.state import StateAt
from gameplay.refusals import Conflict, Invalid
from ledger.events import AliasPinned, AliasUnpinned, Event
from ledger.times import show_time

LATEST_US: Final = 2**53
"""In the year 2255: an event holds no later time."""


def pin(state: StateAt, order: PinOrder) -> AliasPinned:
    """The pin. Raises Invalid for an expiry that has passed, Conflict where another version is there."""
    version: int = getattr(state.assignment(), order.alias)
    if order.version not in (None, version):
        raise Conflict(
            f"version {order.version} of {order.family} is not behind {order.alias}: version {version} is."
            " A pin holds what is there; `rps promotion swap` moves it"
        )
    if order.expires_us is not None and not state.now_us < order.expires_us <= LATEST_US:
        raise Invalid(f"the pin would expire at {show_time(order.expires_us)}, which is past, or after 2255-06-05")
    return AliasPinned(
        model_type=order.family,
        alias=order.alias,
        version=version,
        expires_us=order.expires_us,
        actor=order.origin.actor,
        reason=order.origin.reason,
        key=order.origin.key,
    )


def is_pin(event: Event, order: PinOrder) -> bool:
    """Whether the event is what this order has become."""
    if not isinstance(event, AliasPinned):
        return False
    asked = (order.family, order.alias, order.expires_us, order.origin.actor, order.origin.reason)
    found = (event.model_type, event.alias, event.expires_us, event.actor, event.reason)
    return found == asked and order.version in (None, event.version)


def unpin(state: StateAt, order: UnpinOrder) -> AliasUnpinned:
    """The end of a pin. Raises Conflict where there is none."""
    held = holding_at(state).get(order.alias)
    if held is None:
        pinned = ", ".join(holding_at(state)) or "no alias"
        raise Conflict(f"{order.alias} of {order.family} is not pinned; {pinned} is")
    return AliasUnpinned(
        model_type=order.family,
        alias=order.alias,
        version=held.version,
        cause="manual",
        actor=order.origin.actor,
        reason=order.origin.reason,
        key=order.origin.key,
    )


def is_unpin(event: Event, order: UnpinOrder) -> bool:
    """Whether the event is what this order has become."""
    if not isinstance(event, AliasUnpinned):
        return False
    asked = (order.family, order.alias, order.origin.actor, order.origin.reason)
    return (event.model_type, event.alias, event.actor, event.reason) == asked
