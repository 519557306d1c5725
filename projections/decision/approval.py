"""Swaps that wait for an operator's approval: until when, and what cycles do meanwhile."""

from ledger.evidence import Rule
from ledger.times import show_time
from projections.decision.rules import Verdict
from projections.read_models.assigned_games import SECOND_US
from projections.read_models.moves import OpenPlan


def approve_by(rule: Rule, decided_us: int) -> int | None:
    """Until when a swap that is decided now can be approved; None where it waits for nobody."""
    return None if rule.approval_seconds is None else decided_us + rule.approval_seconds * SECOND_US


def held_back(verdict: Verdict, plan: OpenPlan | None) -> Verdict:
    """The verdict itself, or Production retained while a plan waits: at most one is open."""
    if verdict.decision != "swap_production_b" or plan is None:
        return verdict
    reason = f"{verdict.reason} Held back: {waits(plan)}."
    return verdict._replace(decision="retain_production", reason_code="awaiting_approval", reason=reason)


def waits(plan: OpenPlan) -> str:
    """That the plan waits, in words."""
    until = "" if plan.approve_by_us is None else f" until {show_time(plan.approve_by_us)}"
    return f"plan {plan.version} awaits approval{until}"
