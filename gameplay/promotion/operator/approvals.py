"""Let a plan that waits be carried out, or close it."""

from gameplay.promotion.approval import rejection
from gameplay.promotion.operator.orders import ApproveOrder, RejectOrder
from gameplay.promotion.state import StateAt
from gameplay.refusals import Conflict
from ledger.events import AliasesAssigned, Event, PlanApproved, PlanRejected
from projections.read_models.moves import OpenPlan


def approve(state: StateAt, order: ApproveOrder) -> PlanApproved:
    """The approval. Raises Conflict where no plan waits, or another than the one that is meant."""
    origin = order.origin
    return PlanApproved(
        model_type=order.family,
        plan=_waiting(state, order).version,
        actor=origin.actor,
        reason=origin.reason,
        key=origin.key,
    )


def reject(state: StateAt, order: RejectOrder) -> tuple[PlanRejected, AliasesAssigned]:
    """The rejection, and what closes the plan. Raises Conflict as `approve` does."""
    origin = order.origin
    return rejection(
        state,
        _waiting(state, order),
        "manual",
        actor=origin.actor,
        reason=origin.reason,
        key=origin.key,
    )


def is_answer(event: Event, order: ApproveOrder | RejectOrder) -> bool:
    """Whether the event is what this order has become."""
    kind = PlanApproved if isinstance(order, ApproveOrder) else PlanRejected
    if not isinstance(event, kind):
        return False
    asked = (order.family, order.origin.actor, order.origin.reason)
    return (event.model_type, event.actor, event.reason) == asked and order.plan in (None, event.plan)


def _waiting(state: StateAt, order: ApproveOrder | RejectOrder) -> OpenPlan:
    plan = state.promotion.plan
    if plan is None or not plan.waits:
        raise Conflict(f"no plan of {order.family} awaits approval")
    if order.plan not in (None, plan.version):
        raise Conflict(f"plan {order.plan} of {order.family} does not await approval: plan {plan.version} does")
    return plan
