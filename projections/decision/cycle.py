"""One promotion cycle, decided: from a family's standing to the events that say so. Pure.

A cycle makes one kind of move: it swaps Production and B, or it re-ranks the challengers, or neither.
"""

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    Lineup,
    RankedChallenger,
    Rule,
    Tickers,
)
from ledger.vocabulary import ALIASES, Alias, Decision, Family, PlanCause, Trigger
from projections.decision import ranking
from projections.decision.evidence import gather
from projections.decision.rules import decide
from projections.read_models.standings import Standing
from projections.read_models.tickers import Window


def decide_cycle(
    family: Family,
    standing: Standing,
    window: Window,
    rule: Rule,
    *,
    trigger: Trigger,
    source: str,
    position: int,
) -> tuple[CycleDecided, AliasesPlanned | None]:
    """The cycle's decision at `position`, and the plan when something moves.

    The family must have its aliases, and no open plan. Raises RuleError.
    """
    lineup = standing.lineup()
    assert lineup is not None
    assert standing.plan is None, "an open plan is completed before anything new is decided"
    evidence = gather(window, standing, lineup, position)
    verdict = decide(evidence, rule)
    ranked: tuple[RankedChallenger, ...] = ()
    after = lineup
    if verdict.decision == "swap_production_b":
        after = swap(lineup)
    elif verdict.decision == "retain_production":
        ranked = ranking.rank(standing, lineup, rule.minimum_predictions)
        after = ranking.reseed(lineup, ranked)
    swapped = verdict.decision == "swap_production_b"
    reordered = not swapped and after != lineup
    decided = CycleDecided(
        model_type=family,
        cycle=standing.cycle + 1,
        trigger=trigger,
        source=source,
        rule=rule,
        evidence=evidence,
        z_statistic=verdict.z_statistic,
        p_value=verdict.p_value,
        decision=verdict.decision,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        ranking=ranked,
        reordered=reordered,
        tickers=tickers_after(window, verdict.decision),
    )
    if not (swapped or reordered):
        return decided, None
    return decided, plan("promotion", family, lineup, after, cycle=decided.cycle)


def plan(
    cause: PlanCause, family: Family, before: Lineup, after: Lineup, *, cycle: int | None = None
) -> AliasesPlanned:
    """The plan that leads from one lineup to another, in absolute versions."""
    swapped = is_swap(before, after)
    return AliasesPlanned(
        model_type=family,
        cause=cause,
        cycle=cycle,
        assignments=assignments(before, after),
        swapped=swapped,
        reordered=cause == "promotion" and not swapped,
    )


def tickers_after(window: Window, decision: Decision) -> Tickers:
    """The tickers as they stand after a cycle in this window: one cycle more, or zero after a swap."""
    if decision == "swap_production_b":
        return Tickers(production_games=0, b_games=0, cycles=0)
    return Tickers(
        production_games=window.scores["Production"].games,
        b_games=window.scores["B"].games,
        cycles=window.cycles + 1,
    )


def swap(lineup: Lineup) -> Lineup:
    """Production and B exchanged."""
    return Lineup(Production=lineup.B, B=lineup.Production, shadow1=lineup.shadow1, shadow2=lineup.shadow2)


def is_swap(before: Lineup | None, after: Lineup) -> bool:
    """Whether Production and B have exchanged their versions, whatever the cause."""
    if before is None or before.Production == before.B:
        return False
    return (before.Production, before.B) == (after.B, after.Production)


def is_withdrawal(event: AliasesAssigned) -> bool:
    """Whether an operator has closed a plan that could not be completed: it is named, and nothing moves."""
    kept = all(assignment.before == assignment.after for assignment in event.assignments)
    outside = event.cause == "manual" and event.cycle is None
    return outside and event.plan is not None and kept and not (event.swapped or event.reordered)


def versions_of(lineup: Lineup) -> dict[Alias, int]:
    """Alias -> version."""
    return {alias: getattr(lineup, alias) for alias in ALIASES}


def assignments(before: Lineup | None, after: Lineup) -> tuple[Assignment, ...]:
    """Every alias with its version before and after."""
    return tuple(
        Assignment(
            alias=alias,
            before=None if before is None else getattr(before, alias),
            after=getattr(after, alias),
        )
        for alias in ALIASES
    )
