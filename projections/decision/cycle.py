"""One promotion cycle, decided: from a family's promotion state to the events that say so. Pure.

A cycle makes one kind of move: it swaps Production and B, or it reorders the challengers, or neither.
"""

from collections.abc import Mapping

from msgspec import structs

from ledger.events import AliasChange, AliasesAssigned, AliasesPlanned, Assignment, CycleDecided
from ledger.evidence import RankedChallenger, Rule, Tickers
from ledger.vocabulary import ALIASES, Alias, Decision, Family, PlanCause, Trigger
from projections.decision import approval, pins, ranking
from projections.decision.evidence import gather_for, look_at_windows
from projections.decision.exact_test import boschloo_p
from projections.decision.guards import guarded, watch
from projections.decision.look import ExactTest, measure, verdicts
from projections.decision.rules import decide
from projections.read_models.assigned_games import AssignedGames
from projections.read_models.moves import Pin
from projections.read_models.standings import PromotionState
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow


def decide_cycle(
    family: Family,
    promotion: PromotionState,
    window: Window,
    pair: PairWindow,
    rule: Rule,
    *,
    trigger: Trigger,
    source: str,
    position: int,
    decided_us: int,
    assigned: AssignedGames | None = None,
    exact_p: ExactTest = boschloo_p,
) -> tuple[CycleDecided, AliasesPlanned | None]:
    """The cycle's decision at `position` and `decided_us`, and the plan when something moves.

    The family must have its aliases, and no open plan but one that awaits approval: then nothing moves. `pair` is
    the window of the two versions behind Production and B. `assigned` are the family's games in the order in which
    they were assigned, for a rule that counts them so. Raises RuleError.
    """
    assignment = promotion.assignment()
    assert assignment is not None
    waiting = promotion.plan
    assert waiting is None or waiting.waits, "an open plan is completed before anything new is decided"
    evidence = gather_for(rule, window, pair, promotion, assignment, position, decided_us, assigned)
    own = decide(evidence, rule)
    watched = watch(window, decided_us, promotion.parity_found(assignment.B))
    pinned = pins.holding(promotion, decided_us)
    verdict = guarded(pins.held_back(approval.held_back(own, waiting), pinned), rule, watched)
    # A cycle that is held back moves nothing: a reorder would take the version that waits away from B.
    held = verdict is not own
    after, ranked = (assignment, ()) if held else _outcome(verdict.decision, promotion, assignment, rule, pinned)
    if waiting is not None:
        after = assignment
    swapped = verdict.decision == "swap_production_b"
    reordered = not swapped and after != assignment
    decided = CycleDecided(
        model_type=family,
        cycle=promotion.cycle + 1,
        trigger=trigger,
        source=source,
        decided_us=decided_us,
        rule=rule,
        evidence=evidence,
        watched=watched,
        windows=look_at_windows(window, pair, assignment),
        z_statistic=verdict.z_statistic,
        p_value=verdict.p_value,
        statistics=measure(evidence, rule, exact_p, promotion.log_e_max),
        verdicts=verdicts(evidence, rule, own),
        decision=verdict.decision,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        ranking=ranked,
        reordered=reordered,
        tickers=tickers_after(window, verdict.decision),
    )
    if not (swapped or reordered):
        return decided, None
    planned = plan("promotion", family, assignment, after, cycle=decided.cycle)
    until = approval.approve_by(rule, decided_us) if swapped else None
    return decided, structs.replace(planned, approve_by_us=until)


def _outcome(
    decision: Decision, promotion: PromotionState, assignment: Assignment, rule: Rule, pinned: Mapping[str, Pin]
) -> tuple[Assignment, tuple[RankedChallenger, ...]]:
    """The assignment after the cycle, and the challengers' ranking where one was made."""
    if decision == "swap_production_b":
        return swap(assignment), ()
    if decision == "retain_production":
        ranked = ranking.rank(promotion, assignment, rule)
        return ranking.reorder(assignment, ranked, pinned), ranked
    return assignment, ()


def plan(
    cause: PlanCause, family: Family, before: Assignment, after: Assignment, *, cycle: int | None = None
) -> AliasesPlanned:
    """The plan from one assignment to another, in absolute versions."""
    swapped = is_swap(before, after)
    return AliasesPlanned(
        model_type=family,
        cause=cause,
        cycle=cycle,
        assignments=assignments(before, after),
        runs=(),
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


def swap(assignment: Assignment) -> Assignment:
    """Production and B exchanged."""
    return Assignment(
        Production=assignment.B, B=assignment.Production, shadow1=assignment.shadow1, shadow2=assignment.shadow2
    )


def is_swap(before: Assignment | None, after: Assignment) -> bool:
    """Whether Production and B have exchanged their versions, whatever the cause."""
    if before is None or before.Production == before.B:
        return False
    return (before.Production, before.B) == (after.B, after.Production)


def is_cancellation(event: AliasesAssigned) -> bool:
    """Whether an operator has closed a plan that could not be completed: it is named, and nothing moves."""
    kept = all(change.before == change.after for change in event.assignments)
    outside = event.cause == "manual" and event.cycle is None
    return outside and event.plan is not None and kept and not (event.swapped or event.reordered)


def versions_of(assignment: Assignment) -> dict[Alias, int]:
    """Alias -> version."""
    return {alias: getattr(assignment, alias) for alias in ALIASES}


def assignments(before: Assignment | None, after: Assignment) -> tuple[AliasChange, ...]:
    """Every alias with its version before and after."""
    return tuple(
        AliasChange(
            alias=alias,
            before=None if before is None else getattr(before, alias),
            after=getattr(after, alias),
        )
        for alias in ALIASES
    )
