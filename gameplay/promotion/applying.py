"""Apply and complete: what a plan says is done outside, then recorded; safe to run again after a crash anywhere.

A plan names absolute versions, so every process that comes next (a cycle, a start, another service) carries it
on from the plan, and never from a difference read back from the registry.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

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


class Cancelled(NamedTuple):
    """The assignment that has closed a plan, and its position."""

    position: int
    event: AliasesAssigned


def settle(promotion: Promotion, family: Family) -> bool:
    """Complete the family's open plan, if it has one. False when it cannot be completed now."""
    try:
        complete(promotion, family)
    except (RegistryError, StoreError, ModelUnavailable):
        return False  # `problems` says why
    return True


def complete(promotion: Promotion, family: Family) -> None:
    """Complete the family's open plan, if it has one; close it where it was not approved in time.

    One that awaits approval stays as it is. Raises RegistryError, StoreError or ModelUnavailable when that cannot
    be done now; `problems` says so too.
    """
    with promotion.turn(family):
        state = promotion.state(family)
        while open_plan := state.promotion.plan:
            if open_plan.waits and not has_expired(open_plan, state.now_us):
                return  # that is no trouble, and nothing may be done about it
            if open_plan.waits:
                with suppress(OvertakenError):  # then it was answered just now
                    promotion.append(state, rejection(state, open_plan, "expired"))
                state = promotion.state(family)
                continue
            runs = _apply(promotion, state, open_plan.assignments)
            try:
                promotion.append(state, [completed(family, open_plan, runs)])
            except OvertakenError:
                _set_right(promotion, family)
            state = promotion.state(family)
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
    """Close the family's open plan without carrying it out; None when there is none.

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
            except (OvertakenError, DuplicateError):
                _set_right(promotion, family)
                state = promotion.state(family)
            else:
                promotion.not_completed.pop(family, None)
                return Cancelled(receipt.last_position, cancelled)
        return None


def _set_right(promotion: Promotion, family: Family) -> None:
    """Set the aliases as the ledger has them, until it has no others.

    Another process has ended the plan by which this one has just set them, and may have moved them on since.
    """
    state = promotion.state(family)
    while state.promotion.plan is None:
        kept = state.assignment()
        _apply(promotion, state, assignments(kept, kept))
        applied, state = state, promotion.state(family)
        if state.promotion.stream_version == applied.promotion.stream_version:
            return


def _apply(promotion: Promotion, state: StateAt, wanted: Sequence[AliasChange]) -> dict[int, VersionRun]:
    family, open_plan = state.family, state.promotion.plan
    try:
        return promotion.backends.apply(family, wanted, state.promotion.run)
    except (RegistryError, StoreError, ModelUnavailable) as error:
        what = f"plan {open_plan.version} stays open" if open_plan else "its aliases are out of date"
        promotion.not_completed[family] = f"{what}: {error}"
        log.warning("%s: %s: %s", family, what, error)
        raise
