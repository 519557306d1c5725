"""One family at a glance: who is Production, why, and how far the next swap is."""

from msgspec import Struct

from gameplay.web.console.as_of import Looked
from ledger.evidence import Evidence, Rule, Tally
from ledger.times import show_time
from ledger.vocabulary import (
    ALIASES,
    CHALLENGERS,
    PLAYED_ALIASES,
    Cause,
    Decision,
    Family,
    PlayedAlias,
    ReasonCode,
)
from projections.decision.distance import Distance, measure_distance
from projections.decision.evidence import gather_for
from projections.decision.guards import watch
from projections.decision.intervals import newcombe, wilson
from projections.decision.look import LEVEL
from projections.decision.pins import holding
from projections.decision.rules import DEFAULT, RuleError
from projections.read_models import timeline
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window


class Rate(Struct, frozen=True, kw_only=True):
    """Successes of tries, with their share and its 90 % interval; null where nothing was tried."""

    hits: int
    tries: int
    share: float | None
    lower: float | None
    upper: float | None


class Decided(Struct, frozen=True, kw_only=True):
    """A cycle's decision, at the position of its event."""

    position: int
    recorded: str
    cycle: int
    decision: Decision
    reason_code: ReasonCode
    reason: str


class Side(Struct, frozen=True, kw_only=True):
    """Production or B: its version, since when and why it has that, and its games since the swap."""

    alias: PlayedAlias
    version: int
    since: str | None
    since_position: int | None
    cause: Cause | None
    decided: Decided | None
    wins: Rate


class Difference(Struct, frozen=True, kw_only=True):
    """B's win rate less Production's, with its 90 % interval for one look."""

    value: float
    lower: float
    upper: float


class Criterion(Struct, frozen=True, kw_only=True):
    """The rule in force, its number now, and the line that the number has to cross for a swap.

    `verdict` is what a cycle would decide now. So many `b_wins_in_a_row` would swap; null when none are in sight.
    """

    rule: str
    alpha: str
    minimum_games: int
    settle_seconds: int | None
    p_value: float | None
    line: float
    verdict: Decision
    reason_code: ReasonCode
    reason: str
    held: bool
    production_games_missing: int
    b_games_missing: int
    b_wins_in_a_row: int | None


class Challenger(Struct, frozen=True, kw_only=True):
    """A challenger: its place at the last ranking, its version, and the predictions that rank it."""

    alias: str
    version: int
    rank: int | None
    accuracy: Rate
    holdout_accuracy: float | None


class Pending(Struct, frozen=True, kw_only=True):
    """A plan that is not carried out yet: the aliases that it moves. `approve_by`: it waits for an approval."""

    cause: str
    approve_by: str | None
    swapped: bool
    reordered: bool
    moves: tuple[str, ...]


class Pinned(Struct, frozen=True, kw_only=True):
    """A version that an operator holds behind an alias; `until` is null for a pin without an end."""

    alias: str
    version: int
    until: str | None
    actor: str
    reason: str


class FamilyCard(Struct, frozen=True, kw_only=True):
    """One family at one position. `production` is null until the family has its first aliases."""

    family: Family
    production: Side | None
    b: Side | None
    difference: Difference | None
    criterion: Criterion | None
    swaps: int
    last_swap: str | None
    games_since_swap: int
    cycles_since_swap: int
    challengers: tuple[Challenger, ...]
    pending: Pending | None
    pinned: tuple[Pinned, ...]
    last_decided: Decided | None


def family_card(looked: Looked, family: Family) -> FamilyCard:
    """The family's card."""
    promotion = looked.states.standings.families[family]
    window = looked.states.tickers.windows[family]
    line = looked.states.timeline.families[family]
    sides = {alias: _side(alias, promotion, window, line) for alias in PLAYED_ALIASES}
    production, b = window.scores["Production"], window.scores["B"]
    return FamilyCard(
        family=family,
        production=sides["Production"],
        b=sides["B"],
        difference=_difference(b, production),
        criterion=_criterion(looked, family),
        swaps=window.swap_count,
        last_swap=None if window.last_swap_us is None else show_time(window.last_swap_us),
        games_since_swap=production.games + b.games,
        cycles_since_swap=window.cycles,
        challengers=_challengers(promotion),
        pending=_pending(promotion),
        pinned=_pinned(promotion, looked.now_us),
        last_decided=_decided(line.decided),
    )


def rate(hits: int, tries: int) -> Rate:
    """The share with Wilson's interval."""
    if not tries:
        return Rate(hits=hits, tries=tries, share=None, lower=None, upper=None)
    lower, share, upper = wilson(Tally(games=tries, wins=hits), LEVEL)
    return Rate(hits=hits, tries=tries, share=share, lower=lower, upper=upper)


def _side(
    alias: PlayedAlias, promotion: PromotionState, window: Window, line: timeline.FamilyTimeline
) -> Side | None:
    version = promotion.aliases.get(alias)
    if version is None:
        return None
    since = line.since.get(alias)
    score = window.scores[alias]
    return Side(
        alias=alias,
        version=version,
        since=show_time(since.recorded_us) if since else None,
        since_position=since.position if since else None,
        cause=since.cause if since else None,
        decided=_decided(since.decided) if since else None,
        wins=rate(score.wins, score.games),
    )


def _difference(b: Tally, production: Tally) -> Difference | None:
    interval = newcombe(b, production, LEVEL)
    if interval is None:
        return None
    value = b.wins / b.games - production.wins / production.games
    return Difference(value=value, lower=interval.lower, upper=interval.upper)


def _criterion(looked: Looked, family: Family) -> Criterion | None:
    promotion = looked.states.standings.families[family]
    rule = promotion.rule or DEFAULT
    evidence = evidence_now(looked, family, rule)
    if evidence is None:
        return None
    b_parity = promotion.parity_found(evidence.b.version)
    window = looked.states.tickers.windows[family]
    try:
        pinned = holding(promotion, looked.now_us)
        distance = measure_distance(evidence, rule, watch(window, looked.now_us, b_parity), pinned)
    except RuleError:
        return None  # the rule is one of another release, and only that knows its numbers
    return _as_criterion(rule, distance)


def evidence_now(looked: Looked, family: Family, rule: Rule) -> Evidence | None:
    """What a cycle would decide from at this position; None where the family has no aliases yet."""
    promotion = looked.states.standings.families[family]
    assignment = promotion.assignment()
    assigned = looked.states.assigned_games.windows.get(family)
    if assignment is None or (rule.settle_seconds is not None and assigned is None):
        return None
    window = looked.states.tickers.windows[family]
    pair = looked.states.version_pairs.windows[family]
    position, now_us = looked.states.position, looked.now_us
    return gather_for(rule, window, pair, promotion, assignment, position, now_us, assigned)


def _as_criterion(rule: Rule, distance: Distance) -> Criterion:
    verdict = distance.verdict
    return Criterion(
        rule=rule.name,
        alpha=rule.alpha,
        minimum_games=rule.minimum_games,
        settle_seconds=rule.settle_seconds,
        p_value=verdict.p_value,
        line=float(rule.alpha),
        verdict=verdict.decision,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        held=distance.held,
        production_games_missing=distance.production_games_missing,
        b_games_missing=distance.b_games_missing,
        b_wins_in_a_row=distance.b_wins_in_a_row,
    )


def _challengers(promotion: PromotionState) -> tuple[Challenger, ...]:
    found = []
    for alias in CHALLENGERS:
        version = promotion.aliases.get(alias)
        if version is None:
            continue
        hits = promotion.record(version).hits((promotion.rule or DEFAULT).ranking_players)
        found.append(
            Challenger(
                alias=alias,
                version=version,
                rank=promotion.ranks.get(alias),
                accuracy=rate(hits.correct, hits.rows),
                holdout_accuracy=promotion.holdout_accuracies.get(version),
            )
        )
    return tuple(found)


def _pending(promotion: PromotionState) -> Pending | None:
    plan = promotion.plan
    if plan is None:
        return None
    return Pending(
        cause=plan.cause,
        approve_by=show_time(plan.approve_by_us) if plan.waits and plan.approve_by_us is not None else None,
        swapped=plan.swapped,
        reordered=plan.reordered,
        moves=tuple(
            f"{one.alias} v{one.before} \u2192 v{one.after}" for one in plan.assignments if one.before != one.after
        ),
    )


def _pinned(promotion: PromotionState, now_us: int) -> tuple[Pinned, ...]:
    return tuple(
        Pinned(
            alias=alias,
            version=pin.version,
            until=None if pin.expires_us is None else show_time(pin.expires_us),
            actor=pin.actor,
            reason=pin.reason,
        )
        for alias, pin in sorted(promotion.pins.items(), key=lambda item: ALIASES.index(item[0]))
        if pin.holds(now_us)
    )


def _decided(decided: timeline.Decided | None) -> Decided | None:
    if decided is None:
        return None
    return Decided(
        position=decided.position,
        recorded=show_time(decided.recorded_us),
        cycle=decided.cycle,
        decision=decided.decision,
        reason_code=decided.reason_code,
        reason=decided.reason,
    )
