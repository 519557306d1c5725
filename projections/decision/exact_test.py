"""Boschloo's exact test of two win rates."""

import math
from collections.abc import Callable, Sequence
from math import comb

from ledger.evidence import Tally

GAMES_MAX = 100
"""Games of one side up to which the test is made: with more it takes long, and the z-test says the same."""
_DIGITS = 10
"""Of p: those after them depend on a machine's sine, and a cycle records the same on every machine."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_STEPS = 26
"""They leave 4e-6 of an interval: so near to its peak a curve is flat to the last digit but two of a float."""


def boschloo_p(b: Tally, production: Tally) -> float | None:
    """One-sided exact p of "B is better"; None with no games, or more than GAMES_MAX, on either side.

    p = max over r of sum over s of T_s r^s (1 - r)^(n - s): the chance, at the worst common win rate r, of a table
    whose Fisher p is at most that of the one seen. T_s counts the outcomes with s wins in all that have such a p.
    Barnard's test would be the other choice, but has ties that only the last bit of a float decides.

    Source: Boschloo, Raised conditional level of significance for the 2x2-table when testing the equality of two
    probabilities, Statistica Neerlandica 24(1), 1970.
    """
    if not (0 < b.games <= GAMES_MAX and 0 < production.games <= GAMES_MAX):
        return None
    outcomes = [float(count) for count in _as_extreme(b, production)]
    p = _highest(lambda angle: _chance(outcomes, angle), b.games + production.games)
    return float(f"{min(p, 1.0):.{_DIGITS}g}")


def _as_extreme(b: Tally, production: Tally) -> list[int]:
    """For 0, 1, ... wins in all: in how many outcomes Fisher's p is at most that of the one seen.

    They are those in which B has the most of these wins. In whole numbers, so that tables with the same p are told
    from those with nearly the same.
    """
    of_b = [comb(b.games, wins) for wins in range(b.games + 1)]
    of_production = [comb(production.games, wins) for wins in range(production.games + 1)]
    games, seen = b.games + production.games, b.wins + production.wins
    tail = sum(of_b[wins] * of_production[seen - wins] for wins in range(b.wins, min(b.games, seen) + 1))
    counts = []
    for total in range(games + 1):
        most, count = tail * comb(games, total) // comb(games, seen), 0
        for wins in range(min(b.games, total), max(0, total - production.games) - 1, -1):
            with_these = count + of_b[wins] * of_production[total - wins]
            if with_these > most:
                break
            count = with_these
        counts.append(count)
    return counts


def _chance(outcomes: Sequence[float], angle: float) -> float:
    """The sum of `boschloo_p` at the rate sin² of the angle, from 0 to pi/2."""
    if angle > math.pi / 4:  # from the other end, so that no power is more than 1
        outcomes, angle = outcomes[::-1], math.pi / 2 - angle
    odds, total = math.tan(angle) ** 2, 0.0
    for count in reversed(outcomes):
        total = total * odds + count
    return total * math.cos(angle) ** (2 * (len(outcomes) - 1))


def _highest(chance: Callable[[float], float], games: int) -> float:
    """The largest chance at any rate.

    By the angle, a share of n games spreads alike at every rate: by 1 / (2 sqrt n), and no peak is narrower. A
    quarter of that is a step, so that each peak stands above both of its neighbours, and is climbed from there.
    """
    steps = math.ceil(4 * math.pi * math.sqrt(games))
    angles = [math.pi / 2 * step / steps for step in range(steps + 1)]
    chances = [chance(angle) for angle in angles]
    peaks = [step for step in range(1, steps) if chances[step - 1] < chances[step] >= chances[step + 1]]
    climbed = [_climb(chance, angles[step - 1], angles[step + 1]) for step in peaks]
    return max(chances[0], *climbed)  # at both ends it is 0, or 1 everywhere


def _climb(chance: Callable[[float], float], low: float, high: float) -> float:
    """The height of the one peak between two angles, by golden sections."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = chance(left), chance(right)
    for _ in range(_STEPS):
        if at_left > at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = chance(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = chance(right)
    return max(at_left, at_right)
