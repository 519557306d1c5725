"""Apply and complete: what a plan says is done outside, then recorded; safe to run again after a crash anywhere.

A plan names absolute versions, so every process that comes next (a cycle, a start, another service) carries it
on from the plan, and never from a difference read back from the registry.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from msgspec.structs import replace

from gameplay.models.errors import ModelUnavailable, RegistryError, StoreError
from gameplay.promotion.approval import has_expired, rejection
from gameplay.promotion.assignments import assigned, completed
from gameplay.promotion.state import Promotion, StateAt
from ledger.errors import DuplicateError, OvertakenError
from ledger.events import AliasChange, AliasesAssigned, VersionRun
from ledger.vocabulary import Family
from projections.decision.cycle import assignments

log = logging.getLogger(__name__)

_FAILURES: Final = (RegistryError, StoreError, ModelUnavailable)


class Cancelled(NamedTuple):
    """The assignment that has closed a plan, and its position."""

    position: int
    event: AliasesAssigned


def settle(promotion: Promotion, family: Family) -> bool:
    """Complete the family's open plan, if it has one. False when it cannot be completed now."""
    try:
        complete(promotion, family)
    except _FAILURES:
        return False  # `problems` says why
    return True


def complete(promotion: Promotion, family: Family) -> None:
    """Complete the family's open plan, if it has one; close it where it was not approved in time.

    One that awaits approval stays as it is. Aliases that this process has set by a plan that another one has ended
    are set right. Raises RegistryError, StoreError or ModelUnavailable when that cannot be done now; `problems`
    says so too.
    """
    with promotion.turn(family):
        # Each round but the last follows an append, of this process or of one that was faster.
        while _go_on(promotion, promotion.state(family)):
            pass
        promotion.not_completed.pop(family, None)


def cancel(
    promotion: Promotion,
    family: Family,
    *,
    actor: str | None = None,
    reason: str | None = None,
    key: str | None = None,
    event_id: str | None = None,
) -> Cancelled | None:
    """Close the family's open plan without carrying it out; None when there is none, or the id is another event's.

    For a plan that can never be completed, because a version of it is gone for good. What was set of it already
    is set back. Raises RegistryError, StoreError or ModelUnavailable; then the plan is still open.
    """
    with promotion.turn(family):
        state = promotion.state(family)
        open_plan = state.promotion.plan
        while open_plan and state.promotion.plan == open_plan:
            kept = state.assignment()
            runs = _apply(promotion, state, assignments(kept, kept))
            cancelled = replace(
                assigned(family, "manual", kept, kept, plan=open_plan.version, runs=runs),
                actor=actor,
                reason=reason,
                key=key,
            )
            try:
                receipt = promotion.append(state, [cancelled], ids=[event_id] if event_id else None)
            except OvertakenError:
                state = promotion.state(family)
            except DuplicateError:  # for good: to try again would never end
                state = promotion.state(family)
                break
            else:
                promotion.not_completed.pop(family, None)
                promotion.not_set_right.pop(family, None)
                return Cancelled(receipt.last_position, cancelled)
        if state.promotion.plan != open_plan:
            _suspect(promotion, family)
            complete(promotion, family)
        return None


def _go_on(promotion: Promotion, state: StateAt) -> bool:
    """Do what the state asks for next; False where that is nothing."""
    family, open_plan = state.family, state.promotion.plan
    if open_plan and has_expired(open_plan, state.now_us):
        with suppress(OvertakenError):  # then it was answered just now
            promotion.append(state, rejection(state, open_plan, "expired"))
    elif open_plan and not open_plan.waits:
        runs = _apply(promotion, state, open_plan.assignments)
        try:
            promotion.append(state, [completed(family, open_plan, runs)])
        except OvertakenError:
            _suspect(promotion, family)
        else:
            promotion.not_set_right.pop(family, None)
            if promotion.not_adopted.pop(family, None):
                promotion.to_adopt.add(family)  # the aliases that were refused are set otherwise by now
    elif family in promotion.not_set_right:
        _set_right(promotion, state)
    else:
        return False  # a plan that waits is no trouble, and nothing may be done about it
    return True


def _apply(promotion: Promotion, state: StateAt, wanted: Sequence[AliasChange]) -> dict[int, VersionRun]:
    """Set the aliases while a plan is open."""
    family, open_plan = state.family, state.promotion.plan
    assert open_plan is not None
    try:
        return promotion.backends.apply(family, wanted, state.promotion.run)
    except _FAILURES as error:
        _note(promotion.not_completed, family, f"plan {open_plan.version} stays open: {error}")
        if promotion.state(family).promotion.plan != open_plan:
            # Some aliases may have been set after the process that has ended the plan had set them.
            _suspect(promotion, family)
        raise


def _set_right(promotion: Promotion, state: StateAt) -> None:
    """Set the aliases as the ledger has them; it may have others by the time that this is done."""
    family, kept = state.family, state.assignment()
    try:
        promotion.backends.apply(family, assignments(kept, kept), state.promotion.run)
    except _FAILURES as error:
        _note(promotion.not_set_right, family, f"its aliases in the registry are out of date: {error}")
        raise
    if promotion.state(family).promotion.stream_version == state.promotion.stream_version:
        promotion.not_set_right.pop(family, None)


def _suspect(promotion: Promotion, family: Family) -> None:
    """Remember that another process has ended the plan by which this one has just set aliases.

    It may have moved them on before they were set. Without this, a registry that fails before they are set right
    would keep what no plan wants, and the next start would adopt it.
    """
    promotion.not_set_right[family] = "its aliases in the registry may be out of date"


def _note(problems: dict[Family, str], family: Family, problem: str) -> None:
    problems[family] = problem
    log.warning("%s: %s", family, problem)
