"""What an operator may order, who gives the order and why; checked before anything is looked at."""

import re
from typing import Final

from msgspec import Struct

from gameplay.refusals import Invalid
from ledger.ids import keyed_id
from ledger.vocabulary import Alias, Family

ROUTE: Final = "promotion/order"
ACTOR_LENGTH_MAX: Final = 200
KEY_LENGTH_MAX: Final = 200
REASON_LENGTH_MAX: Final = 4_000

_is_line = re.compile(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*").fullmatch


class Origin(Struct, frozen=True, kw_only=True):
    """Who orders, why, and under which key: the same key again is the same order, and is carried out once."""

    actor: str
    reason: str
    key: str | None = None


class PinOrder(Struct, frozen=True, kw_only=True):
    """Hold the version behind an alias; `version` is the one that the operator means it to be."""

    family: Family
    alias: Alias
    version: int | None = None
    expires_us: int | None = None
    origin: Origin


class UnpinOrder(Struct, frozen=True, kw_only=True):
    """Hold an alias no more."""

    family: Family
    alias: Alias
    origin: Origin


class SwapOrder(Struct, frozen=True, kw_only=True):
    """Exchange Production with B, or with the alias that `to` is behind."""

    family: Family
    to: int | None = None
    origin: Origin


class UndoOrder(Struct, frozen=True, kw_only=True):
    """Bring back the versions from before the last swap."""

    family: Family
    origin: Origin


class CancelOrder(Struct, frozen=True, kw_only=True):
    """Close the open plan without carrying it out."""

    family: Family
    origin: Origin


class ApproveOrder(Struct, frozen=True, kw_only=True):
    """Let the plan that waits be carried out; `plan` is the one that the operator has seen."""

    family: Family
    plan: int | None = None
    origin: Origin


class RejectOrder(Struct, frozen=True, kw_only=True):
    """Close the plan that waits; `plan` is the one that the operator has seen."""

    family: Family
    plan: int | None = None
    origin: Origin


Order = PinOrder | UnpinOrder | SwapOrder | UndoOrder | CancelOrder | ApproveOrder | RejectOrder


def check(origin: Origin) -> None:
    """Raise Invalid where an order does not say who gives it and why, in a form that can be kept."""
    if not _is_line(origin.actor) or len(origin.actor) > ACTOR_LENGTH_MAX:
        raise Invalid(f"the actor is a name of 1 to {ACTOR_LENGTH_MAX} characters in one line")
    if not origin.reason.strip():
        raise Invalid("the reason is empty: say why, for those who read it later")
    if len(origin.reason) > REASON_LENGTH_MAX or "\0" in origin.reason:
        raise Invalid(f"the reason is a text of at most {REASON_LENGTH_MAX} characters")
    for text in (origin.actor, origin.reason):
        if not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise Invalid("actor and reason are Unicode text; this has half a surrogate pair in it")
    if origin.key is not None and not 1 <= len(origin.key) <= KEY_LENGTH_MAX:
        raise Invalid(f"the key must have 1 to {KEY_LENGTH_MAX} characters")


def event_id(origin: Origin) -> str | None:
    """The id of the event that the order becomes; None without a key."""
    return None if origin.key is None else keyed_id(ROUTE, origin.key)
