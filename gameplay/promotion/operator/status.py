"""Where a family's promotion stands, on one screen: who is behind which alias, what the rules say, what holds."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from gameplay.promotion.approval import has_expired, show_waiting, without_expired
from gameplay.promotion.pins import holding_at
from gameplay.promotion.state import Promotion, StateAt
from ledger.evidence import RuleVerdict, Tally
from ledger.times import show_time
from ledger.vocabulary import ALIASES, Alias, Cause, Decision, Family, PlanCause, PlayedAlias, ReasonCode
from projections.audit.summaries import moves
from projections.decision.approval import held_back
from projections.decision.distance import Distance, measure_distance
from projections.decision.evidence import gather_for
from projections.decision.guards import watch
from projections.decision.look import verdicts
from projections.decision.rules import DEFAULT, RuleError, decide
from projections.decision.sample_size import games_needed_for_gain
from projections.read_models.moves import Pin
from projections.read_models.timeline import HOUR_US, HOURS_OF_TRAFFIC, FamilyTimeline


class Pinned(Struct, frozen=True, kw_only=True):
    """What holds an alias; `is_broken`: another version is there, because an outside tool has moved it."""

    version: int
    expires: str | None
    actor: str
    reason: str
    is_broken: bool


class Behind(Struct, frozen=True, kw_only=True):
    """The version behind an alias, since when and why; `cycle` or `actor` where one of them moved it."""

    alias: Alias
    version: int
    since: str | None
    cause: Cause | None
    cycle: int | None
    actor: str | None
    pin: Pinned | None


class Verdict(Struct, frozen=True, kw_only=True):
    """What the rule in force would decide now. `held` back by a guard, a pin, or a plan that waits."""

    decision: Decision
    reason_code: ReasonCode
    reason: str
    held: bool
    b_wins_in_a_row: int | None
    """So many games would B have to win one after the other until the rule swaps; null where that is far off."""
    production_games_missing: int
    b_games_missing: int


class Traffic(Struct, frozen=True, kw_only=True):
    """How many games a comparison needs of each side, and how long that takes as the last day went."""

    games_last_day: int
    games_needed: int | None
    games_missing: int | None
    """Of the side that has fewer."""
    hours: float | None


class Plan(Struct, frozen=True, kw_only=True):
    """The open plan; `approve_by` where it waits for an approval, `problem` where it cannot be completed."""

    version: int
    cause: PlanCause
    moves: str
    actor: str | None
    waits: bool
    approve_by: str | None
    problem: str | None


class Status(Struct, frozen=True, kw_only=True):
    """One family; null where it has no aliases yet, or the rule in force is another release's."""

    model_type: Family
    cycle: int
    last_cycle: str | None
    next_cycle: str | None
    cycles_since_swap: int
    last_swap: str | None
    aliases: tuple[Behind, ...]
    rule: str
    alpha: str
    production: Tally | None
    b: Tally | None
    verdict: Verdict | None
    verdicts: tuple[RuleVerdict, ...]
    traffic: Traffic | None
    open_plan: int | None
    plan: Plan | None


def status(
    promotion: Promotion, family: Family, next_cycle: datetime | None, masked: Callable[[str], str] = str
) -> Status:
    """The family at the head, with the verdicts that a cycle would come to now.

    `masked` takes secrets out of what a registry has said.
    """
    state = promotion.state(family)
    with promotion.read_models.projector.current():
        timeline = promotion.read_models.timeline.state.families[family]
        behind, games = _aliases(state, timeline), timeline.games_since(state.now_us - HOURS_OF_TRAFFIC * HOUR_US)
    rule = state.promotion.rule or DEFAULT
    evaluation, plan = state.promotion.evaluation, state.promotion.plan
    judged = _judged(state)
    return Status(
        model_type=family,
        cycle=state.promotion.cycle,
        last_cycle=show_time(evaluation.evaluated_us) if evaluation else None,
        next_cycle=None if next_cycle is None else f"{next_cycle.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        cycles_since_swap=state.window.cycles,
        last_swap=_time(state.window.last_swap_us),
        aliases=behind,
        rule=rule.name,
        alpha=rule.alpha,
        production=judged.production if judged else None,
        b=judged.b if judged else None,
        verdict=judged.verdict if judged else None,
        verdicts=judged.verdicts if judged else (),
        traffic=_traffic(judged, rule.alpha, games) if judged else None,
        open_plan=plan.version if plan else None,
        plan=_plan(state, masked(promotion.problems.get(family, "")) or None),
    )


class _Judged(Struct, frozen=True):
    production: Tally
    b: Tally
    verdict: Verdict
    verdicts: tuple[RuleVerdict, ...]


def _judged(state: StateAt) -> _Judged | None:
    """What a cycle would see and decide now; None where it could not."""
    rule, assignment = state.promotion.rule or DEFAULT, state.promotion.assignment()
    if assignment is None or (rule.settle_seconds is not None and state.assigned is None):
        return None
    evidence = gather_for(
        rule, state.window, state.pair, state.promotion, assignment, state.position, state.now_us, state.assigned
    )
    try:
        watched = watch(state.window, state.now_us, state.promotion.parity_found(assignment.B))
        distance = measure_distance(evidence, rule, watched, dict(holding_at(state).items()))
        every = verdicts(evidence, rule, decide(evidence, rule))
    except RuleError:
        return None  # of another release, and only that knows its numbers
    return _Judged(evidence.production.window, evidence.b.window, _verdict(state, distance), every)


def _verdict(state: StateAt, distance: Distance) -> Verdict:
    plan = without_expired(state).promotion.plan
    verdict = held_back(distance.verdict, plan if plan and plan.waits else None)
    return Verdict(
        decision=verdict.decision,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        held=distance.held or verdict is not distance.verdict,
        b_wins_in_a_row=distance.b_wins_in_a_row,
        production_games_missing=distance.production_games_missing,
        b_games_missing=distance.b_games_missing,
    )


def _aliases(state: StateAt, timeline: FamilyTimeline) -> tuple[Behind, ...]:
    pinned = holding_at(state)
    found = []
    for alias in ALIASES:
        version, since, pin = state.promotion.aliases.get(alias), timeline.since.get(alias), pinned.get(alias)
        if version is None:
            continue
        found.append(
            Behind(
                alias=alias,
                version=version,
                since=show_time(since.recorded_us) if since else None,
                cause=since.cause if since else None,
                cycle=since.decided.cycle if since and since.decided else None,
                actor=since.actor if since else None,
                pin=_pinned(pin, is_broken=state.promotion.is_pin_broken(alias)) if pin else None,
            )
        )
    return tuple(found)


def _pinned(pin: Pin, *, is_broken: bool) -> Pinned:
    return Pinned(
        version=pin.version, expires=_time(pin.expires_us), actor=pin.actor, reason=pin.reason, is_broken=is_broken
    )


def _traffic(judged: _Judged, alpha: str, games: dict[PlayedAlias, int]) -> Traffic:
    needed = games_needed_for_gain(judged.production, float(alpha))
    missing = {
        alias: max((needed or 0) - tally.games, 0)
        for alias, tally in (("Production", judged.production), ("B", judged.b))
    }
    rates = {alias: count / HOURS_OF_TRAFFIC for alias, count in games.items()}
    hours = [_hours(missing[alias], rate) for alias, rate in rates.items()]
    known = [one for one in hours if one is not None]
    return Traffic(
        games_last_day=sum(games.values()),
        games_needed=needed,
        games_missing=None if needed is None else max(missing.values()),
        hours=max(known) if needed is not None and len(known) == len(hours) else None,
    )


def _hours(missing: int, an_hour: float) -> float | None:
    if missing == 0:
        return 0.0
    return missing / an_hour if an_hour else None


def _plan(state: StateAt, problem: str | None) -> Plan | None:
    plan = state.promotion.plan
    if plan is None:
        return None
    return Plan(
        version=plan.version,
        cause=plan.cause,
        moves=show_waiting(plan, state.now_us) if plan.waits else moves(plan.assignments),
        actor=plan.actor,
        waits=plan.waits and not has_expired(plan, state.now_us),
        approve_by=_time(plan.approve_by_us),
        problem=problem,
    )


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else show_time(time_us)
