"""Close a plan that cannot be carried out."""

from msgspec import structs

from gameplay.promotion.assignments import assigned
from gameplay.promotion.operator.orders import CancelOrder
from gameplay.promotion.state import StateAt
from gameplay.refusals import Conflict
from ledger.events import AliasesAssigned, Event
from projections.decision.cycle import is_cancellation


def cancellation(state: StateAt, order: CancelOrder) -> AliasesAssigned:
    """The assignment that keeps all as it is. Raises Conflict where no plan is open."""
    if state.promotion.plan is None:
        raise Conflict(f"{order.family} has no open plan")
    kept = state.assignment()
    origin = order.origin
    return structs.replace(
        assigned(order.family, "manual", kept, kept, plan=state.promotion.plan.version),
        actor=origin.actor,
        reason=origin.reason,
        key=origin.key,
    )


def is_cancel(event: Event, order: CancelOrder) -> bool:
    """Whether the event is what this order has become."""
    if not isinstance(event, AliasesAssigned) or not is_cancellation(event):
        return False
    asked = (order.family, order.origin.actor, order.origin.reason)
    return (event.model_type, event.actor, event.reason) == asked
