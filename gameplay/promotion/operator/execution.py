"""An order, carried out: the one way in for commands, HTTP calls and pages.

An order is for the state that its giver has seen. So an open plan is completed first and the order refused, and
so is one whose aliases another process has moved meanwhile: an exchange of what a cycle has just exchanged would
take its swap back, and nobody meant that. Under the caller's key an order is carried out once.
"""

from typing import NamedTuple, assert_never

from gameplay.promotion import applying
from gameplay.promotion.applying import settle
from gameplay.promotion.approval import has_expired, show_waiting, without_expired
from gameplay.promotion.operator import approvals, cancelling, moves, pins, undo
from gameplay.promotion.operator.orders import (
    ROUTE,
    ApproveOrder,
    CancelOrder,
    Order,
    PinOrder,
    RejectOrder,
    SwapOrder,
    UndoOrder,
    UnpinOrder,
    check,
    event_id,
)
from gameplay.promotion.planning import append_move
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Conflict
from ledger.errors import DuplicateError, OvertakenError
from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    Assignment,
    Event,
    PlanApproved,
    PlanRejected,
)
from ledger.ids import keyed_id, new_id
from ledger.streams import promotion_stream
from ledger.vocabulary import Family
from projections.decision.approval import waits
from projections.decision.cycle import is_cancellation

Ordered = AliasPinned | AliasUnpinned | AliasesPlanned | AliasesAssigned | PlanApproved | PlanRejected

_Deciding = PinOrder | UnpinOrder | SwapOrder | UndoOrder
"""Orders that are decided from the state without an open plan."""


class Seen(NamedTuple):
    """What an order is for: the aliases, the last swap, and the plan that waits for an answer."""

    assignment: Assignment | None
    last_swap_position: int | None
    plan: int | None


class Preview(NamedTuple):
    """What an order would do, and for an undo what has changed since the swap that it takes back."""

    event: Ordered
    seen: Seen
    since: undo.Since | None = None


class Done(NamedTuple):
    """What became of an order: its event, where that stands, and whether it was there already.

    `applied`: whether the plan is completed; None where the order moves nothing.
    """

    position: int
    event: Ordered
    applied: bool | None
    repeated: bool = False


def preview(promotion: Promotion, order: Order) -> Preview:
    """What the order would do now. Writes nothing. Raises what `execute` would raise."""
    check(order.origin)
    state = promotion.state(order.family)
    if isinstance(order, CancelOrder):
        return Preview(cancelling.cancellation(state, order), _seen(state))
    if isinstance(order, ApproveOrder | RejectOrder):
        return Preview(_answers(without_expired(state), order)[0], _seen(state))
    if plan := state.promotion.plan:
        is_open = f"plan {plan.version} is open, and completed before anything new"
        raise Conflict(f"{order.family}: {show_waiting(plan, state.now_us) if plan.waits else is_open}")
    event = _decide(promotion, state, order)
    since = undo.since(promotion.ledger, state) if isinstance(order, UndoOrder) else None
    return Preview(event, _seen(state), since)


def execute(promotion: Promotion, order: Order, seen: Seen | None = None) -> Done:
    """Carry the order out; `seen` is what a preview has shown, else it is for the present state.

    Raises Invalid for what cannot be, Conflict for what is not possible now or has another order's key, and
    Unavailable while a backend does not answer or others have the family's turn. Then nothing was written.
    """
    check(order.origin)
    with promotion.turn(order.family):
        if done := _repeated(promotion, order):
            return done
        if isinstance(order, CancelOrder):
            return _cancel(promotion, order)
        if isinstance(order, ApproveOrder | RejectOrder):
            settle(promotion, order.family)  # one that was not answered in time is closed
            return promotion.retry(order.family, lambda: _answer(promotion, order, seen))
        _require_settled(promotion, order.family)
        meant = seen or _seen(promotion.state(order.family))
        return promotion.retry(order.family, lambda: _execute(promotion, order, meant))


def _execute(promotion: Promotion, order: _Deciding, meant: Seen) -> Done:
    if done := _repeated(promotion, order):
        return done
    state = promotion.state(order.family)
    if state.promotion.plan or _seen(state) != meant:
        now = moves.show(state.assignment())
        raise Conflict(
            f"another process has moved the aliases of {order.family} meanwhile: they are {now}. Nothing was done;"
            " look at it, and order again"
        )
    event = _decide(promotion, state, order)
    try:
        receipt = append_move(promotion, state, event, event_id(order.origin))
    except DuplicateError as error:  # the same key at once, from another state
        raise OvertakenError(str(error)) from error
    applied = settle(promotion, order.family) if isinstance(event, AliasesPlanned) else None
    return Done(receipt.last_position, event, applied)


def _answer(promotion: Promotion, order: ApproveOrder | RejectOrder, seen: Seen | None) -> Done:
    if done := _repeated(promotion, order):
        return done
    state = promotion.state(order.family)
    batch = _answers(state, order)
    if seen is not None and _seen(state) != seen:
        raise Conflict(f"another plan of {order.family} waits by now; look at it, and answer again")
    keyed = order.origin.key is not None
    ids = [keyed_id(ROUTE, order.origin.key or "", index) if keyed else new_id() for index in range(len(batch))]
    try:
        receipt = promotion.append(state, batch, ids=ids)
    except DuplicateError as error:  # the same key at once, from another state
        raise OvertakenError(str(error)) from error
    event, *_ = batch
    applied = settle(promotion, order.family) if isinstance(event, PlanApproved) else None
    return Done(receipt.first_position, event, applied)


def _answers(
    state: StateAt, order: ApproveOrder | RejectOrder
) -> tuple[PlanApproved] | tuple[PlanRejected, AliasesAssigned]:
    if isinstance(order, ApproveOrder):
        return (approvals.approve(state, order),)
    return approvals.reject(state, order)


def _cancel(promotion: Promotion, order: CancelOrder) -> Done:
    """Raises RegistryError, StoreError or ModelUnavailable where what was set of the plan cannot be set back."""
    origin = order.origin
    cancelled = applying.cancel(
        promotion,
        order.family,
        actor=origin.actor,
        reason=origin.reason,
        key=origin.key,
        event_id=event_id(origin),
    )
    if cancelled is not None:
        return Done(*cancelled, applied=None)
    if done := _repeated(promotion, order):  # the same key at once, in another process
        return done
    raise Conflict(f"{order.family} has no open plan")


def _decide(promotion: Promotion, state: StateAt, order: _Deciding) -> Ordered:
    match order:
        case PinOrder():
            return pins.pin(state, order)
        case UnpinOrder():
            return pins.unpin(state, order)
        case SwapOrder():
            plan = moves.exchange(state, order)
        case UndoOrder():
            plan = undo.undo(state, order)
        case _:
            assert_never(order)
    moves.check_versions(promotion, state, plan)
    return plan


def _require_settled(promotion: Promotion, family: Family) -> None:
    """Raise Conflict where a plan was open: whoever ordered something has not seen what comes of it."""
    plan = promotion.state(family).promotion.plan
    if plan is None:
        return
    if not settle(promotion, family):
        why = promotion.problems.get(family, f"plan {plan.version} cannot be completed now")
        raise Conflict(f"{family}: {why}; nothing else was done")
    state = promotion.state(family)
    if plan.waits and state.promotion.plan:
        raise Conflict(f"{family}: {waits(plan)}; approve or reject it first")
    if _is_applied(promotion, promotion_stream(family), plan.version):
        what = "was open, and is completed now"
    elif has_expired(plan, state.now_us):
        what = "was not approved in time, and is closed now"
    else:
        what = "was open, and is closed now without being carried out"
    now = moves.show(state.assignment())
    raise Conflict(
        f"plan {plan.version} of {family} {what}: the aliases are {now}. Nothing else was done; look at it, and"
        " order again"
    )


def _seen(state: StateAt) -> Seen:
    last = state.promotion.last_swap
    plan = state.promotion.plan
    return Seen(state.promotion.assignment(), last.position if last else None, plan.version if plan else None)


def _repeated(promotion: Promotion, order: Order) -> Done | None:
    """What became of the order when it came under its key before; what it left open is carried on.

    Raises Conflict where the key belongs to another order.
    """
    known_id = event_id(order.origin)
    entry = promotion.ledger.find(known_id) if known_id else None
    if entry is None:
        return None
    event = promotion.ledger.decode(entry)
    if not _is_of(event, order):
        raise Conflict(f"the key {order.origin.key!r} belongs to another order, at position {entry.position}")
    assert isinstance(event, Ordered)
    applied = None
    if isinstance(event, AliasesPlanned | PlanApproved):
        settle(promotion, order.family)
        plan = entry.version if isinstance(event, AliasesPlanned) else event.plan
        applied = _is_applied(promotion, entry.stream, plan)
    return Done(entry.position, event, applied, repeated=True)


def _is_of(event: Event, order: Order) -> bool:
    match order:
        case PinOrder():
            return pins.is_pin(event, order)
        case UnpinOrder():
            return pins.is_unpin(event, order)
        case SwapOrder():
            return moves.is_exchange(event, order)
        case UndoOrder():
            return undo.is_undo(event, order)
        case CancelOrder():
            return cancelling.is_cancel(event, order)
        case ApproveOrder() | RejectOrder():
            return approvals.is_answer(event, order)
        case _:
            assert_never(order)


def _is_applied(promotion: Promotion, stream: str, plan: int) -> bool:
    """Whether a plan has been carried out: neither open nor cancelled."""
    for entry in promotion.ledger.read_stream(stream, plan):
        event = promotion.ledger.decode(entry)
        if isinstance(event, AliasesAssigned) and event.plan == plan:
            return not is_cancellation(event)
    return False
