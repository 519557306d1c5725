"""A plan that waits for an operator: whether its time is over, and how it is closed without being carried out."""

from msgspec import structs

from gameplay.promotion.assignments import assigned
from gameplay.promotion.state import StateAt
from ledger.events import AliasesAssigned, PlanRejected
from ledger.vocabulary import RejectCause
from projections.decision.approval import waits
from projections.read_models.moves import OpenPlan


def has_expired(plan: OpenPlan, now_us: int) -> bool:
    """Whether the plan waits in vain: nobody has approved it in time."""
    return plan.waits and plan.approve_by_us is not None and now_us >= plan.approve_by_us


def show_waiting(plan: OpenPlan, now_us: int) -> str:
    """That the plan waits, or has waited in vain, in words."""
    if has_expired(plan, now_us):
        return f"plan {plan.version} was not approved in time, and is closed before anything new"
    return waits(plan)


def without_expired(state: StateAt) -> StateAt:
    """The state as it will be when what comes next has closed a plan that was not approved in time."""
    plan = state.promotion.plan
    if plan is None or not has_expired(plan, state.now_us):
        return state
    return state._replace(promotion=structs.replace(state.promotion, plan=None))


def rejection(
    state: StateAt,
    plan: OpenPlan,
    cause: RejectCause,
    *,
    actor: str | None = None,
    reason: str | None = None,
    key: str | None = None,
) -> tuple[PlanRejected, AliasesAssigned]:
    """That the plan is not carried out, and the assignment that closes it. Nothing of it was set outside."""
    kept = state.assignment()
    rejected = PlanRejected(
        model_type=state.family, plan=plan.version, cause=cause, actor=actor, reason=reason, key=key
    )
    closed = assigned(state.family, "manual", kept, kept, plan=plan.version)
    return rejected, structs.replace(closed, actor=actor, reason=reason, key=key)
