"""The formula of each rule with its numbers filled in, so that a person can follow it with a calculator."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ledger.evidence import Evidence, Rule, Tally
from projections.decision.e_process import log_e_value
from projections.decision.rules import ANYTIME_SIGN, SIGN_A, Z_TEST, pooled_z_test, tosses

Steps = tuple[str, ...]


def steps_of(rule: Rule, evidence: Evidence) -> Steps:
    """The steps from the evidence to the rule's criterion; none without games, or for an unknown rule."""
    b, production = evidence.b.window, evidence.production.window
    formula = _FORMULAS.get(rule.name)
    if formula is None or not (b.games and production.games):
        return ()
    return formula(b, production, rule.alpha)


def _z_test(b: Tally, production: Tally, alpha: str) -> Steps:
    wins, games = b.wins + production.wins, b.games + production.games
    pooled = f"q = ({b.wins} + {production.wins}) / ({b.games} + {production.games}) = {wins / games:.4f}"
    test = pooled_z_test(b, production)
    if test is None:
        return (pooled, "q (1 − q) = 0: all games ended alike, and there is no difference to test")
    z, p = test
    q = wins / games
    spread = math.sqrt(q * (1 - q) * (1 / b.games + 1 / production.games))
    return (
        pooled,
        f"s = √(q (1 − q) (1/{b.games} + 1/{production.games})) = {spread:.4f}",
        f"z = ({b.wins}/{b.games} − {production.wins}/{production.games}) / s = {_number(z)}",
        f"p = erfc(z / √2) / 2 = {p:.4f}",
        f"{p:.4f} {'<' if p < float(alpha) else '≥'} alpha = {alpha}",
    )


def _anytime_sign(b: Tally, production: Tally, alpha: str) -> Steps:
    favourable, unfavourable = tosses(b, production)
    log_e = log_e_value(favourable, unfavourable, SIGN_A)
    line = 1 / Decimal(alpha)
    criterion = math.log(line)
    return (
        f"S = {b.wins} + ({production.games} − {production.wins}) = {favourable} tosses fell B's way",
        f"F = ({b.games} − {b.wins}) + {production.wins} = {unfavourable} did not",
        f"ln E = ln E(S, F; a = {SIGN_A}) = {_number(log_e)}",
        f"ln 1/alpha = ln {line:.4g} = {_number(criterion)}",
        f"{_number(log_e)} {'≥' if log_e >= criterion else '<'} {_number(criterion)}",
    )


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


_FORMULAS: Final[dict[str, Callable[[Tally, Tally, str], Steps]]] = {
    Z_TEST: _z_test,
    ANYTIME_SIGN: _anytime_sign,
}
