"""The sign e-process: evidence that may be looked at after every game, for ever, without spoiling it.

Each game is a toss that falls B's way when B wins its own game or Production does not win one. Under "B is nowhere
better", with the alias of each game tossed fairly, a toss falls B's way with a chance of at most one half, however
the win rates drift. E is the wealth of a bettor who stakes on B with a Beta(a, a) mixture cut to (1/2, 1).

Source: the one-sided beta-binomial mixture of Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric,
nonasymptotic confidence sequences, Annals of Statistics 49(2), 2021, arXiv:1810.08240.
"""

import math
from fractions import Fraction

_TIE = 1e-9
"""Nearer than this to a criterion the float is not trusted: its own error stays below 1e-11 up to 20,000 games."""
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


def reaches(favourable: int, unfavourable: int, a: int, criterion: Fraction) -> bool:
    """Whether E is at least `criterion`: the same answer on every machine, for ever."""
    return is_reached(log_e_value(favourable, unfavourable, a), favourable, unfavourable, a, criterion)


def is_reached(log_e: float, favourable: int, unfavourable: int, a: int, criterion: Fraction) -> bool:
    """As `reaches`, where the logarithm of E is at hand."""
    distance = log_e - math.log(criterion.numerator) + math.log(criterion.denominator)
    if abs(distance) < _TIE:
        return e_value(favourable, unfavourable, a) >= criterion
    return distance > 0


def lead_missing(log_e: float, favourable: int, unfavourable: int, a: int, criterion: Fraction) -> int:
    """How many tosses in a row would have to fall B's way from here until E reaches `criterion`; 0 when it has.

    `log_e` is the logarithm of E after the tosses so far.
    """
    # E's tail is P(Bin(trials, 1/2) >= a + F), which Pascal's triangle moves on by one term a toss. Far behind it
    # is too small for a float, and then what it lacks is too small to matter once it is one. Term and density go
    # from toss to toss by their logarithms: made anew from factorials they would take four times as long.
    log_density = _log_density(favourable, unfavourable, a)
    tail = math.exp(log_e - log_density)
    trials, missing = 2 * a + favourable + unfavourable - 1, 0
    log_term = _log_binomial(trials, a + unfavourable - 1)
    far = math.log(criterion.numerator) - math.log(criterion.denominator) - _TIE
    while log_e < far or not is_reached(log_e, favourable + missing, unfavourable, a, criterion):
        tail += math.exp(log_term) / 2
        trials += 1
        log_term += math.log(trials / (2 * (a + favourable + missing + 1)))
        log_density += math.log(2 * (a + favourable + missing) / trials)
        missing += 1
        log_e = log_density + (math.log(tail) if tail else -math.inf)
    return missing


def fewest_favourable(tosses_max: int, a: int, criterion: Fraction) -> list[int]:
    """For 0, 1, ... tosses in all: the fewest favourable ones with which E reaches `criterion`.

    One more than all of them where even that would not be enough. One more toss needs the same number or one
    more, because E falls with an unfavourable toss and rises with a favourable one. So the walk along this edge
    keeps P(Beta(a+S, a+F) > 1/2), a binomial tail that Pascal's triangle moves on by one term a step.
    """
    least = [0 if criterion <= 1 else 1]
    trials = 2 * a - 1  # E's tail is P(Bin(trials, 1/2) <= successes), with trials = 2a + N - 1
    successes = a + least[0] - 1
    tail = sum(math.comb(trials, j) for j in range(successes + 1)) / 2**trials
    for tosses in range(1, tosses_max + 1):
        favourable = least[-1]
        tail -= _binomial(trials, successes) / 2
        trials += 1
        log_e = _log_density(favourable, tosses - favourable, a) + math.log(tail)
        if not is_reached(log_e, favourable, tosses - favourable, a, criterion):
            favourable += 1
            successes += 1
            tail += _binomial(trials, successes)
        least.append(favourable)
    return least


def log_beta(x: float, y: float) -> float:
    """The logarithm of the beta function."""
    return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)


def _log_density(favourable: int, unfavourable: int, a: int) -> float:
    """The logarithm of E without its tail, P(Beta(a+S, a+F) > 1/2)."""
    densities = log_beta(a + favourable, a + unfavourable) - log_beta(a, a)
    return (favourable + unfavourable + 1) * math.log(2) + densities


def _binomial(trials: int, successes: int) -> float:
    """P(Bin(trials, 1/2) = successes)."""
    return math.exp(_log_binomial(trials, successes))


def _log_binomial(trials: int, successes: int) -> float:
    ways = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return ways - trials * math.log(2)
