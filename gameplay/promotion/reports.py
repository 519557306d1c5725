"""An outside automation reports the cycle that it ran: recorded as it was said, without touching the registry."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from gameplay.promotion.applying import settle
from gameplay.promotion.assignments import assigned
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Conflict, Invalid
from ledger.errors import DuplicateError, OvertakenError
from ledger.events import AliasesAssigned, Assignment, CycleDecided, Event, Report, ReportedAssignment
from ledger.ids import keyed_id, new_id
from ledger.store import Entry
from ledger.vocabulary import ALIASES, Alias, Decision, Family
from projections.decision.cycle import swap, tickers_after, versions_of
from projections.decision.evidence import gather

ROUTE = "promotion/report"


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it came in, already validated; see CycleDecided for what becomes of it."""

    model_type: Family
    decision: Decision
    z_statistic: float | None
    p_value: float | None
    reorder_applied: bool
    reason: str
    source: str
    said: Report


class Recorded(NamedTuple):
    """A report in the ledger: its position and the event that was made of it."""

    position: int
    event: CycleDecided


def body_digest(value: Any) -> str:
    """What tells two bodies apart: the SHA-256 of the JSON value, whatever its white space and key order."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def record(promotion: Promotion, report: Reported, key: str | None) -> Recorded:
    """Append the report; the same key and body again get the first answer.

    Raises Conflict for another body under the same key, or while one of our own plans cannot be completed;
    Invalid for aliases that cannot be as they are reported; Unavailable when the registry is asked for a version
    that the ledger does not know, and does not answer.
    """
    with promotion.lock:
        return promotion.retry(report.model_type, lambda: _record(promotion, report, key))


def _record(promotion: Promotion, report: Reported, key: str | None) -> Recorded:
    family = report.model_type
    if key is not None and (entry := promotion.ledger.find(keyed_id(ROUTE, key))):
        return _first(promotion, entry, report, key)
    if not settle(promotion, family):
        raise Conflict(f"{family} has an open plan that cannot be completed; is the registry up?")
    state = promotion.state_to_plan_from(family)
    events = _events(report, state)
    _check_versions(report, events, promotion)
    ids = [new_id() if key is None else keyed_id(ROUTE, key, index) for index in range(len(events))]
    try:
        receipt = promotion.append(state, events, ids=ids)
    except DuplicateError as error:  # the same key at once, from another state
        raise OvertakenError(str(error)) from error
    decided = events[0]
    assert isinstance(decided, CycleDecided)
    return Recorded(receipt.first_position, decided)


def _first(promotion: Promotion, entry: Entry, report: Reported, key: str) -> Recorded:
    event = promotion.ledger.decode(entry)
    assert isinstance(event, CycleDecided)
    assert event.report is not None
    if event.report.body_sha256 != report.said.body_sha256:
        raise Conflict(f"Idempotency-Key {key!r} belongs to another report, at position {entry.position}")
    return Recorded(entry.position, event)


def _events(report: Reported, state: StateAt) -> list[Event]:
    assignment = state.promotion.assignment()
    # Before the ledger knows the family's aliases there is nothing that could move.
    reordered = assignment is not None and (report.reorder_applied or report.decision == "alias_reorder")
    adopted = report.decision == "swap_production_b" and _already_adopted(report, state)
    swapped = report.decision == "swap_production_b" and not adopted
    decided = CycleDecided(
        model_type=report.model_type,
        cycle=state.promotion.cycle + 1,
        trigger="report",
        source=report.source,
        rule=None,
        evidence=gather(state.window, state.promotion, assignment, state.position) if assignment else None,
        z_statistic=report.z_statistic,
        p_value=report.p_value,
        statistics=None,
        verdicts=(),
        decision=report.decision,
        reason_code="reported",
        reason=report.reason,
        ranking=(),
        reordered=reordered,
        tickers=tickers_after(state.window, "swap_production_b" if swapped else "retain_production"),
        report=report.said,
    )
    if assignment is None or not (swapped or reordered or adopted):
        return [decided]
    # What adoption has recorded is so already, challengers and all.
    after = assignment if adopted else _after(report, assignment, swapped=swapped, reordered=reordered)
    moved = assigned(
        report.model_type, "report", assignment, after, cycle=decided.cycle, swapped=swapped, reordered=reordered
    )
    return [decided, moved]


def _already_adopted(report: Reported, state: StateAt) -> bool:
    """Whether the reported swap is the one that the registry has told of: it must not be made twice."""
    told = _told_versions(report.said.alias_assignments)
    if {"Production", "B"} <= told.keys() and state.promotion.aliases:
        return all(state.promotion.aliases[alias] == told[alias] for alias in ("Production", "B"))
    return state.promotion.adopted_swap


def _check_versions(report: Reported, events: Sequence[Event], promotion: Promotion) -> None:
    """Refuse what would leave an alias without a version to serve, or lose one that nobody said is gone."""
    all_told = _told_versions(report.said.alias_assignments).keys() >= set(ALIASES)
    for event in events:
        if isinstance(event, AliasesAssigned):
            family, after = event.model_type, {one.alias: one.after for one in event.assignments}
            before = [one.before for one in event.assignments]
            if not all_told and len(set(after.values())) < len(set(before)):
                told = ", ".join(f"{alias} = {version}" for alias, version in after.items())
                raise Invalid(f"two aliases would have one version ({told}): tell every alias that has moved")
            for alias, version in after.items():
                if version not in before and not promotion.backends.exists(family, version):
                    raise Invalid(f"{alias} is told to be version {version} of {family}, which does not exist")


def _after(report: Reported, assignment: Assignment, *, swapped: bool, reordered: bool) -> Assignment:
    """The lineup as the reporter says it is; where they name no versions, as their decision implies."""
    before = versions_of(assignment)
    versions = versions_of(swap(assignment) if swapped else assignment)
    for ranked in report.said.alias_rankings:
        if ranked.source_alias is not None and reordered:
            versions[ranked.alias] = before[ranked.source_alias]
    versions |= _told_versions(report.said.alias_assignments)
    # A swap exchanges exactly these two, and a reorder leaves Production where it is, whatever else is told.
    versions["Production"] = assignment.B if swapped else assignment.Production
    if swapped:
        versions["B"] = assignment.Production
        if len(set(versions.values())) < len(set(before.values())):
            # The former Production went on to another alias in the same breath. The exchange is what this report
            # is about; where the challengers have gone, the registry tells at the next adoption.
            return swap(assignment)
    return Assignment(**versions)


def _told_versions(told: tuple[ReportedAssignment, ...]) -> dict[Alias, int]:
    return {change.alias: change.version for change in told if change.version is not None}
