"""/operator: what an operator may hold, swap and take back, and what is held now.

The page orders by the calls under `/internal/promotion/`, as any other client does: the token never comes here.
"""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.pages import respond
from ledger.events import AliasChange
from ledger.times import show_time
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Cause, Family, PlanCause
from projections.decision.pins import holding
from projections.read_models.moves import LastSwap, OpenPlan, Pin


class Held(Struct, frozen=True, kw_only=True):
    """A pin: the version that it holds, by whom, why, and until when; null without an end."""

    version: int
    actor: str
    reason: str
    pinned: str
    expires: str | None


class AliasRow(Struct, frozen=True, kw_only=True):
    """An alias with its version, and its pin, if it has one."""

    alias: Alias
    version: int
    pin: Held | None


class PlanShown(Struct, frozen=True, kw_only=True):
    """A plan that is not carried out yet: the aliases that it moves. `approve_by`: it waits for an approval."""

    version: int
    cause: PlanCause
    approve_by: str | None
    planned: str
    actor: str | None
    reason: str | None
    moves: tuple[str, ...]


class Undoable(Struct, frozen=True, kw_only=True):
    """The last swap, and the versions that an undo would bring back."""

    position: int
    swapped: str
    cause: Cause
    actor: str | None
    before: dict[str, int]


class FamilyOrders(Struct, frozen=True, kw_only=True):
    """What can be ordered for one family. `aliases` is empty before its first assignment."""

    family: Family
    aliases: tuple[AliasRow, ...]
    plan: PlanShown | None
    last_swap: Undoable | None


class OperatorPage(Struct, frozen=True, kw_only=True):
    """Every family as an operator sees it."""

    as_of: AsOf
    families: tuple[FamilyOrders, ...]


async def operator(request: Request) -> Response:
    """GET /operator."""
    return respond(request, "operator.html", await look(request, build))


def build(_service: Service, looked: Looked) -> OperatorPage:
    """The page."""
    return OperatorPage(as_of=looked.as_of, families=tuple(_family(looked, family) for family in FAMILIES))


def _family(looked: Looked, family: Family) -> FamilyOrders:
    promotion = looked.states.standings.families[family]
    pins = holding(promotion, looked.now_us)
    return FamilyOrders(
        family=family,
        aliases=tuple(
            AliasRow(alias=alias, version=promotion.aliases[alias], pin=_held(pins.get(alias)))
            for alias in ALIASES
            if alias in promotion.aliases
        ),
        plan=_plan(promotion.plan),
        last_swap=_undoable(promotion.last_swap),
    )


def _held(pin: Pin | None) -> Held | None:
    if pin is None:
        return None
    return Held(
        version=pin.version,
        actor=pin.actor,
        reason=pin.reason,
        pinned=show_time(pin.pinned_us),
        expires=None if pin.expires_us is None else show_time(pin.expires_us),
    )


def _plan(plan: OpenPlan | None) -> PlanShown | None:
    if plan is None:
        return None
    return PlanShown(
        version=plan.version,
        cause=plan.cause,
        approve_by=show_time(plan.approve_by_us) if plan.waits and plan.approve_by_us is not None else None,
        planned=show_time(plan.planned_us),
        actor=plan.actor,
        reason=plan.reason,
        moves=tuple(_move(change) for change in plan.assignments if change.before != change.after),
    )


def _move(change: AliasChange) -> str:
    before = "" if change.before is None else f" v{change.before} \u2192"
    return f"{change.alias}{before} v{change.after}"


def _undoable(swap: LastSwap | None) -> Undoable | None:
    if swap is None:
        return None
    return Undoable(
        position=swap.position,
        swapped=show_time(swap.swapped_us),
        cause=swap.cause,
        actor=swap.actor,
        before=swap.before,
    )
