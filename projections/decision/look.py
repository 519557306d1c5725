"""One look at the evidence: every statistic, and what each rule would decide."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from msgspec import structs

from ledger.evidence import Evidence, Interval, Rule, RuleVerdict, Statistics, Tally
from projections.decision import intervals
from projections.decision.e_process import lead_missing, log_e_value
from projections.decision.rules import KNOWN_RULES, SIGN_A, Verdict, decide, read_alpha, tosses
from projections.decision.sample_size import games_needed_for_gain, is_small

LEVEL: Final = 0.9

ExactTest = Callable[[Tally, Tally], float | None]
"""The one-sided p of B's games against Production's; None where it is not made."""


def measure(evidence: Evidence, rule: Rule, exact_p: ExactTest, log_e_before: float) -> Statistics:
    """Every statistic of the evidence; `log_e_before` is the largest ln E of the looks before it in this window.

    Raises RuleError.
    """
    b, production = evidence.b.window, evidence.production.window
    alpha = read_alpha(rule.alpha)
    favourable, unfavourable = tosses(b, production)
    log_e = log_e_value(favourable, unfavourable, SIGN_A)
    both = b.games and production.games
    return Statistics(
        difference=b.wins / b.games - production.wins / production.games if both else None,
        interval=_interval(intervals.newcombe(b, production, LEVEL)),
        sequence=_interval(intervals.confidence_sequence(favourable, unfavourable, SIGN_A, LEVEL)),
        exact_p=exact_p(b, production),
        small_sample=is_small(b, production),
        favourable=favourable,
        tosses=favourable + unfavourable,
        log_e=log_e,
        log_e_max=max(log_e, log_e_before),
        lead_missing=lead_missing(log_e, favourable, unfavourable, SIGN_A, 1 / Fraction(alpha)),
        games_needed=games_needed_for_gain(production, float(alpha)),
    )


def verdicts(evidence: Evidence, rule: Rule, in_force: Verdict) -> tuple[RuleVerdict, ...]:
    """What each rule would decide, with the parameters of the one in force, whose verdict is at hand.

    Raises RuleError.
    """
    others = {name: structs.replace(rule, name=name) for name in KNOWN_RULES if name != rule.name}
    found = {rule.name: in_force} | {name: decide(evidence, other) for name, other in others.items()}
    return tuple(_verdict(name, found[name]) for name in KNOWN_RULES)


def _verdict(name: str, verdict: Verdict) -> RuleVerdict:
    return RuleVerdict(
        rule=name,
        decision=verdict.decision,
        reason_code=verdict.reason_code,
        z_statistic=verdict.z_statistic,
        p_value=verdict.p_value,
    )


def _interval(interval: intervals.Interval | None) -> Interval | None:
    return None if interval is None else Interval(lower=interval.lower, upper=interval.upper)
