"""The sign e-process: evidence that may be looked at after every game, for ever, without spoiling it.

Each game is a toss that B wins by winning its own game or by Production not winning one. Under "B is nowhere
better", with the alias of each game tossed fairly, a toss falls B's way with a chance of at most one half, however
the win rates drift. E is the wealth of somebody who bets against that with a Beta(a, a) mixture cut to (1/2, 1).

Source: the one-sided beta-binomial mixture of Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric,
nonasymptotic confidence sequences, Annals of Statistics 49(2), 2021, arXiv:1810.08240.
"""

import math
from fractions import Fraction

_TIE = 1e-9
"""Nearer than this to a bound the float is not trusted: its own error stays below 1e-11 up to 20,000 games."""
_RESCALE = 1e280


def log_e_value(favourable: int, unfavourable: int, a: int) -> float:
    """The logarithm of E after so many tosses for B and against it; `a` is the mixture's parameter, 1 or more.

    ln E = (1 - 2a) ln 2 - ln B(a, a) - ln(a + F) + ln(t_0 + t_1 + ...) with t_0 = 1 and
    t_(k+1) = t_k (2a + S + F + k) / (2 (a + F + 1 + k)): the hypergeometric series of the incomplete beta
    function at 1/2. All terms are positive, so nothing cancels in either tail.
    """
    if favourable == unfavourable == 0:
        return 0.0
    term = total = 1.0
    scale = 0.0
    k = 0
    # The terms rise while k is below S - F, so that a small one there is not yet the end.
    while k <= favourable - unfavourable or term >= total * 1e-18:
        term *= (2 * a + favourable + unfavourable + k) / (2 * (a + unfavourable + 1 + k))
        total += term
        k += 1
        if total > _RESCALE:
            scale += math.log(total)
            term, total = term / total, 1.0
    prior = math.factorial(2 * a - 1) / (math.factorial(a - 1) ** 2 * 2 ** (2 * a - 1))
    return math.log(prior) - math.log(a + unfavourable) + scale + math.log(total)


def e_value(favourable: int, unfavourable: int, a: int) -> Fraction:
    """E, exactly.

    E = 4^(1-a) (2a-1)! / ((a-1)!)^2 * (a+S-1)! (a+F-1)! / (2a+N-1)! * sum over j < a+S of C(2a+N-1, j), N = S + F:
    a beta distribution with integer parameters is a sum of binomial terms.
    """
    tosses = 2 * a + favourable + unfavourable - 1
    binomial, tail = 1, 0
    for j in range(a + favourable):
        tail += binomial
        binomial = binomial * (tosses - j) // (j + 1)
    prior = Fraction(math.factorial(2 * a - 1), math.factorial(a - 1) ** 2 * 4 ** (a - 1))
    ways = math.factorial(a + favourable - 1) * math.factorial(a + unfavourable - 1)
    return prior * Fraction(ways * tail, math.factorial(tosses))


def reaches(favourable: int, unfavourable: int, a: int, bound: Fraction) -> bool:
    """Whether E is at least `bound`: the same answer on every machine, for ever."""
    distance = log_e_value(favourable, unfavourable, a) - math.log(bound.numerator) + math.log(bound.denominator)
    if abs(distance) < _TIE:
        return e_value(favourable, unfavourable, a) >= bound
    return distance > 0
