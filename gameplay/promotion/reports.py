"""An outside automation reports the cycle that it ran: recorded as it was said, without touching the registry."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from gameplay.promotion.applying import settle
from gameplay.promotion.assignments import assigned, merged, with_versions
from gameplay.promotion.pins import expire
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Conflict, Invalid
from ledger.entries import Entry
from ledger.errors import DuplicateError, OvertakenError
from ledger.events import Assignment, CycleDecided, Event, VersionRun
from ledger.ids import keyed_id, new_id
from ledger.reported import Report
from ledger.vocabulary import ALIASES, Alias, Decision, Family
from projections.decision.cycle import swap, tickers_after, versions_of
from projections.decision.evidence import gather, look_at_windows

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
    """What two bodies are compared by: the SHA-256 of the JSON value, whatever its white space and key order."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def record(promotion: Promotion, report: Reported, key: str | None) -> Recorded:
    """Append the report; the same key and body again get the first answer.

    Raises Conflict for another body under the same key, or while one of our own plans cannot be completed;
    Invalid for aliases that cannot be as they are reported; Unavailable when the registry is asked for a version
    that the ledger does not know, and does not answer.
    """
    with promotion.turn(report.model_type):
        return promotion.retry(report.model_type, lambda: _record(promotion, report, key))


def _record(promotion: Promotion, report: Reported, key: str | None) -> Recorded:
    family = report.model_type
    if key is not None and (entry := promotion.ledger.find(keyed_id(ROUTE, key))):
        return _first(promotion, entry, report, key)
    if not settle(promotion, family):
        raise Conflict(f"{family} has an open plan that cannot be completed; is the registry up?")
    expire(promotion, family)
    state = promotion.state_to_plan_from(family)
    moves = _moves(report, state)
    runs = _checked(promotion, report, state, moves.after)
    events = _events(report, state, moves, runs)
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


class _Moves(NamedTuple):
    """What a report moves; `after` is None where it moves nothing, and has nothing to confirm."""

    after: Assignment | None
    swapped: bool
    reordered: bool


def _moves(report: Reported, state: StateAt) -> _Moves:
    assignment = state.promotion.assignment()
    swap_reported = report.decision == "swap_production_b"
    adopted = swap_reported and _already_adopted(report, state)
    swapped = swap_reported and not adopted
    if assignment is None:
        # Before the ledger knows the family's aliases there is nothing that could move.
        return _Moves(None, swapped, reordered=False)
    reordered = report.reorder_applied or report.decision == "alias_reorder"
    if adopted:
        # What adoption has recorded is so already, challengers and all.
        return _Moves(assignment, swapped, reordered)
    if not (swapped or reordered):
        return _Moves(None, swapped, reordered)
    return _Moves(_after(report, assignment, swapped=swapped, reordered=reordered), swapped, reordered)


def _events(report: Reported, state: StateAt, moves: _Moves, runs: Mapping[int, VersionRun]) -> list[Event]:
    assignment = state.promotion.assignment()
    decided = CycleDecided(
        model_type=report.model_type,
        cycle=state.promotion.cycle + 1,
        trigger="report",
        source=report.source,
        decided_us=None,
        rule=None,
        evidence=gather(state.window, state.promotion, assignment, state.position) if assignment else None,
        watched=None,
        windows=look_at_windows(state.window, state.pair, assignment) if assignment else None,
        z_statistic=report.z_statistic,
        p_value=report.p_value,
        statistics=None,
        verdicts=(),
        decision=report.decision,
        reason_code="reported",
        reason=report.reason,
        ranking=(),
        reordered=moves.reordered,
        tickers=tickers_after(state.window, "swap_production_b" if moves.swapped else "retain_production"),
        report=report.said,
    )
    if moves.after is None:
        return [decided]
    moved = assigned(
        report.model_type,
        "report",
        assignment,
        moves.after,
        cycle=decided.cycle,
        runs=runs,
        swapped=moves.swapped,
        reordered=moves.reordered,
    )
    return [decided, moved]


def _already_adopted(report: Reported, state: StateAt) -> bool:
    """Whether the reported swap is the one that the registry has brought already: it must not be made twice."""
    reported = _reported_versions(report)
    if {"Production", "B"} <= reported.keys() and state.promotion.aliases:
        return all(state.promotion.aliases[alias] == reported[alias] for alias in ("Production", "B"))
    return state.promotion.adopted_swap


def _checked(
    promotion: Promotion, report: Reported, state: StateAt, after: Assignment | None
) -> dict[int, VersionRun]:
    """The runs behind the versions of a report, none of which is impossible.

    Raises Invalid for a version that does not exist, whichever alias is said to be at it, and for one version
    behind two aliases that were on two; Conflict for a number that is another run's by now; Unavailable when a
    new version cannot be looked up.
    """
    before, reported = state.promotion.assignment(), _reported_versions(report)
    if before is not None:
        for claimed in (with_versions(before, reported) if reported.keys() >= set(ALIASES) else None, after):
            if claimed and (problem := merged(before, claimed)):
                raise Invalid(f"{problem}, which were on two: report the version of every alias that has moved")
    present = set(versions_of(before).values()) if before else set()
    asked = set(versions_of(after).values()) if after else set()
    asked |= {version for version in reported.values() if version not in present}
    runs = promotion.backends.reported(report.model_type, asked, state.promotion.run, present=present)
    for alias, version in (*reported.items(), *(versions_of(after).items() if after else ())):
        if version not in present and version not in runs:
            problem = f"version {version} of {report.model_type}, which does not exist"
            raise Invalid(f"{alias} is reported to be {problem}")
    return runs


def _after(report: Reported, assignment: Assignment, *, swapped: bool, reordered: bool) -> Assignment:
    """The aliases as the reporter says they are; where they name no versions, as their decision implies."""
    before = versions_of(assignment)
    versions = versions_of(swap(assignment) if swapped else assignment)
    for ranked in report.said.alias_rankings:
        if ranked.source_alias is not None and reordered:
            versions[ranked.alias] = before[ranked.source_alias]
    versions |= _reported_versions(report)
    # A swap exchanges exactly these two, and a reorder leaves Production alone, whatever else is reported.
    versions["Production"] = assignment.B if swapped else assignment.Production
    if swapped:
        versions["B"] = assignment.Production
    after = Assignment(**versions)
    # The former Production may have gone on to another alias in the same breath. The exchange is what a reported
    # swap is about; where the challengers have gone, the registry says at the next adoption.
    return swap(assignment) if swapped and merged(assignment, after) else after


def _reported_versions(report: Reported) -> dict[Alias, int]:
    changes = report.said.alias_assignments
    return {change.alias: change.version for change in changes if change.version is not None}
