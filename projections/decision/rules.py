"""Evidence -> verdict, by a named rule. Pure: the same evidence and rule give the same verdict for ever."""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final, NamedTuple

from msgspec import structs

from ledger.evidence import Evidence, Guards, Rule, Tally
from ledger.numbers import is_alpha
from ledger.vocabulary import Decision, ReasonCode
from projections.decision.e_process import is_reached, log_e_value

Z_TEST: Final = "ztest/1"
ANYTIME_SIGN: Final = "anytime-sign/1"


class RuleError(ValueError):
    """A rule that nothing can be decided by; `field` is what is at fault."""

    def __init__(self, field: str, found: str, expected: str) -> None:
        super().__init__(f"{found!r} is no {field} to decide by: it has to be {expected}")
        self.field = field
        self.found = found
        self.expected = expected


class Verdict(NamedTuple):
    """A decision with its reason; z and p are None where there was no such test."""

    decision: Decision
    reason_code: ReasonCode
    reason: str
    z_statistic: float | None
    p_value: float | None


class Tested(NamedTuple):
    """What a test says of B's games against Production's, and as text its statistic and its criterion."""

    better: bool
    z_statistic: float | None
    p_value: float
    statistic: str
    criterion: str


def decide(evidence: Evidence, rule: Rule) -> Verdict:
    """Swap Production and B when B is better by the rule's test, and by games of its own. Raises RuleError.

    The test compares what the tickers count: each alias's games since the last swap. A version that was moved
    behind its alias a moment ago must not be promoted on its predecessor's games, so a swap also needs the
    minimum from each of the two versions themselves.
    """
    test = _TESTS.get(rule.name)
    if test is None:
        raise RuleError("name", rule.name, f"one of {', '.join(KNOWN_RULES)}")
    read_alpha(rule.alpha)
    production, b = evidence.production, evidence.b
    minimum = max(rule.minimum_games, 1)  # rates of no games are no rates
    games = f"games{_of(rule)} {_since(rule)}"
    if min(production.window.games, b.window.games) < minimum:
        return Verdict(
            "insufficient_data",
            "too_few_games",
            f"Production has {production.window.games} and B {b.window.games} {games}; each needs {minimum}.",
            None,
            None,
        )
    tested = test(b.window, production.window, rule.alpha)
    if tested is None:
        return Verdict(
            "retain_production",
            "zero_variance",
            f"All {games} ended alike, so there is no difference to test.",
            None,
            None,
        )
    z, p = tested.z_statistic, tested.p_value
    rates = f"B won {_share(b.window)} against Production's {_share(production.window)}, {tested.statistic}"
    if not tested.better:
        return Verdict("retain_production", "not_better", f"{rates}: not {tested.criterion}.", z, p)
    if min(production.own.games, b.own.games) < minimum:
        return Verdict(
            "insufficient_data",
            "version_too_new",
            f"{rates}, but Production's version {production.version} has {production.own.games} and B's version"
            f" {b.version} {b.own.games} games{_of(rule)} of their own {_since(rule)}; each needs {minimum}.",
            z,
            p,
        )
    return Verdict("swap_production_b", "better", f"{rates}: {tested.criterion}.", z, p)


def z_test(b: Tally, production: Tally, alpha: str) -> Tested | None:
    """`ztest/1`: B is better when the p-value of `pooled_z_test` is below alpha, strictly."""
    test = pooled_z_test(b, production)
    if test is None:
        return None
    z, p = test
    return Tested(p < float(alpha), z, p, f"z = {z:.4f}, p = {p:.4f}", f"below alpha = {alpha}")


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


SIGN_A = 10
"""Part of what `anytime-sign/1` means, and best near 60 games: another value is another version of the rule."""


def anytime_sign(b: Tally, production: Tally, alpha: str) -> Tested:
    """`anytime-sign/1`: B is better once E of `projections.decision.e_process` reaches 1/alpha, at whatever look.

    p is min(1, 1/E), which holds at any stopping time; there is no z.
    """
    favourable, unfavourable = tosses(b, production)
    log_e = log_e_value(favourable, unfavourable, SIGN_A)
    p = math.exp(-max(log_e, 0.0))
    better = is_reached(log_e, favourable, unfavourable, SIGN_A, 1 / Fraction(read_alpha(alpha)))
    return Tested(better, None, p, f"ln E = {log_e:.4f}, p = {p:.4f}", f"within alpha = {alpha}")


def tosses(b: Tally, production: Tally) -> tuple[int, int]:
    """The games as tosses of `anytime-sign/1`: (those that fell B's way, those that did not)."""
    return b.wins + production.games - production.wins, b.games - b.wins + production.wins


def read_alpha(text: str) -> Decimal:
    """The alpha of a recorded rule. Raises RuleError for what is no decimal between 0 and 1.

    A setting has no exponent. Earlier releases took one, and what they decided has to come out again.
    """
    try:
        alpha = Decimal(text)
    except InvalidOperation:
        alpha = Decimal("NaN")
    if not is_alpha(alpha):
        raise RuleError("alpha", text, "a decimal between 0 and 1")
    return alpha


_TESTS: Final[dict[str, Callable[[Tally, Tally, str], Tested | None]]] = {
    Z_TEST: z_test,
    ANYTIME_SIGN: anytime_sign,
}
DEFAULT_GUARDS: Final = Guards(sample_ratio=True, cooldown_cycles=0, cooldown_seconds=0, fallback_share_max=None)
DEFAULT: Final = Rule(name=Z_TEST, alpha="0.20", minimum_games=3, minimum_predictions=30, guards=DEFAULT_GUARDS)
"""What a family's cycles decide by until another rule is set."""
KNOWN_RULES: Final = tuple(_TESTS)
SETTLE_SECONDS: Final = 1_800
"""How old a game has to be for a rule that counts games as they were assigned, unless it is set otherwise."""


def restarts_window(before: Rule, after: Rule) -> bool:
    """Whether a change of the rule changes its test, so that evidence gathered before must not count for it.

    Guards and an approval may only hold a swap back, and the predictions, whosever rounds they are of, are for the
    order of the challengers.
    """
    same_beside_the_test = structs.replace(
        after,
        guards=before.guards,
        minimum_predictions=before.minimum_predictions,
        approval_seconds=before.approval_seconds,
        ranking_players=before.ranking_players,
    )
    return before != same_beside_the_test


def _of(rule: Rule) -> str:
    return "" if rule.players == "all" else f" of {rule.players} players"


def _since(rule: Rule) -> str:
    begin = "the last swap" if rule.evidence == "since_swap" else "the last change of either version"
    if rule.settle_seconds is None:
        return f"since {begin}"
    return f"since the rule was set or {begin}, if later, and assigned {rule.settle_seconds} s ago or more"


def _share(tally: Tally) -> str:
    return f"{tally.wins} of {tally.games}"
