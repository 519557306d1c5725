"""The events that say which version is behind each alias."""

from collections.abc import Mapping

from ledger.events import AliasesAssigned, Assignment
from ledger.vocabulary import ALIASES, Alias, Cause, Family
from projections.decision.cycle import assignments, is_swap, versions_of
from projections.read_models.standings import OpenPlan


def assigned(
    family: Family,
    cause: Cause,
    before: Assignment | None,
    after: Assignment,
    *,
    cycle: int | None = None,
    plan: int | None = None,
    swapped: bool | None = None,
    reordered: bool = False,
) -> AliasesAssigned:
    """Aliases that are as they are now: moved without a plan, or kept by a plan that is cancelled.

    Whether it is a swap is seen from the versions, unless a report says so.
    """
    return AliasesAssigned(
        model_type=family,
        cause=cause,
        cycle=cycle,
        plan=plan,
        assignments=assignments(before, after),
        swapped=is_swap(before, after) if swapped is None else swapped,
        reordered=reordered,
    )


def completed(family: Family, open_plan: OpenPlan) -> AliasesAssigned:
    """The aliases as a plan wanted them."""
    return AliasesAssigned(
        model_type=family,
        cause=open_plan.cause,
        cycle=open_plan.cycle,
        plan=open_plan.version,
        assignments=open_plan.assignments,
        swapped=open_plan.swapped,
        reordered=open_plan.reordered,
    )


def with_versions(assignment: Assignment, versions: Mapping[Alias, int]) -> Assignment:
    """The assignment with some of its aliases at other versions."""
    changed = {**versions_of(assignment), **versions}
    return Assignment(**{alias: changed[alias] for alias in ALIASES})
