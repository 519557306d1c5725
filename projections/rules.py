"""Evidence -> verdict, by a named rule. Pure: the same evidence and rule give the same verdict for ever."""

import math
from typing import NamedTuple

from ledger.events import Evidence, Rule, Tally
from ledger.vocabulary import Decision, ReasonCode

Z_TEST = "ztest/1"


class Verdict(NamedTuple):
    """A decision with its reason; z and p are None where there was no test."""

    decision: Decision
    reason_code: ReasonCode
    reason: str
    z_statistic: float | None
    p_value: float | None


def decide(evidence: Evidence, rule: Rule) -> Verdict:
    """Swap Production and B when B is better by the rule's test, and by games of its own.

    The test compares what the tickers count: each alias's games since the last swap. A version that was moved
    behind its alias a moment ago must not be promoted on its predecessor's games, so a swap also needs the
    minimum from each of the two versions themselves.
    """
    production, b = evidence.production, evidence.b
    minimum = max(rule.minimum_games, 1)  # rates of no games are no rates
    if min(production.window.games, b.window.games) < minimum:
        return Verdict(
            "insufficient_data",
            "too_few_games",
            f"Production has {production.window.games} and B {b.window.games} games since the last swap;"
            f" each needs {minimum}.",
            None,
            None,
        )
    test = pooled_z_test(b.window, production.window)
    if test is None:
        return Verdict(
            "retain_production",
            "zero_variance",
            "All games since the last swap ended alike, so there is no difference to test.",
            None,
            None,
        )
    z, p = test
    rates = f"B won {_share(b.window)} against Production's {_share(production.window)}, z = {z:.4f}, p = {p:.4f}"
    if not p < float(rule.alpha):
        return Verdict("retain_production", "not_better", f"{rates}: not below alpha = {rule.alpha}.", z, p)
    if min(production.own.games, b.own.games) < minimum:
        return Verdict(
            "insufficient_data",
            "version_too_new",
            f"{rates}, but Production's version {production.version} has {production.own.games} and B's version"
            f" {b.version} {b.own.games} games of their own since the last swap; each needs {minimum}.",
            z,
            p,
        )
    return Verdict("swap_production_b", "better", f"{rates}: below alpha = {rule.alpha}.", z, p)


def pooled_z_test(b: Tally, production: Tally) -> tuple[float, float] | None:
    """One-sided pooled two-proportion z-test of B's win rate against Production's: (z, p).

    z = (w_B/n_B - w_P/n_P) / sqrt(q (1 - q) (1/n_B + 1/n_P)) with q = (w_B + w_P) / (n_B + n_P), and p is the
    upper tail of the standard normal, erfc(z / sqrt 2) / 2 (1 - cdf would lose every digit far out). None when
    the pooled variance is zero. Source: NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3.
    """
    pooled = (b.wins + production.wins) / (b.games + production.games)
    variance = pooled * (1 - pooled) * (1 / b.games + 1 / production.games)
    if variance == 0:
        return None
    z = (b.wins / b.games - production.wins / production.games) / math.sqrt(variance)
    return z, math.erfc(z / math.sqrt(2)) / 2


def _share(tally: Tally) -> str:
    return f"{tally.wins} of {tally.games}"
