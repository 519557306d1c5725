"""The events that say which version is behind each alias."""

from collections.abc import Mapping
from itertools import combinations

from ledger.events import AliasesAssigned, Assignment, VersionRun
from ledger.vocabulary import ALIASES, Alias, Cause, Family
from projections.decision.cycle import assignments, is_swap, versions_of
from projections.read_models.moves import OpenPlan


def assigned(
    family: Family,
    cause: Cause,
    before: Assignment | None,
    after: Assignment,
    *,
    cycle: int | None = None,
    plan: int | None = None,
    runs: Mapping[int, VersionRun] | None = None,
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
        runs=_behind(after, runs or {}),
        swapped=is_swap(before, after) if swapped is None else swapped,
        reordered=reordered,
    )


def completed(family: Family, open_plan: OpenPlan, runs: Mapping[int, VersionRun]) -> AliasesAssigned:
    """The aliases as a plan wanted them, with the runs that were found behind the versions."""
    return AliasesAssigned(
        model_type=family,
        cause=open_plan.cause,
        cycle=open_plan.cycle,
        plan=open_plan.version,
        assignments=open_plan.assignments,
        runs=tuple(runs[version] for version in sorted(runs)),
        swapped=open_plan.swapped,
        reordered=open_plan.reordered,
        actor=open_plan.actor,
        reason=open_plan.reason,
        key=open_plan.key,
        undoes=open_plan.undoes,
    )


def with_versions(assignment: Assignment, versions: Mapping[Alias, int]) -> Assignment:
    """The assignment with some of its aliases at other versions."""
    changed = {**versions_of(assignment), **versions}
    return Assignment(**{alias: changed[alias] for alias in ALIASES})


def _behind(assignment: Assignment, runs: Mapping[int, VersionRun]) -> tuple[VersionRun, ...]:
    """What is known of the runs behind an assignment, each version once."""
    return tuple(runs[version] for version in sorted(set(versions_of(assignment).values())) if version in runs)


def merged(before: Assignment | None, after: Assignment) -> str | None:
    """Two aliases that a change would put on one version, though they were on two; None if there are none.

    That is never meant: it is half of an exchange, or a number that a registry has handed out again.
    """
    if before is None:
        return None
    was, is_now = versions_of(before), versions_of(after)
    for one, other in combinations(ALIASES, 2):
        if is_now[one] == is_now[other] and was[one] != was[other]:
            return f"{one} and {other} are both version {is_now[one]}"
    return None
