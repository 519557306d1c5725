"""Boschloo's exact test of two win rates. The only module that imports scipy."""

import math

from ledger.evidence import Tally

GAMES_MAX = 100
"""Games of one side up to which the test is made: with more it takes seconds, and the z-test says the same."""


def boschloo_p(b: Tally, production: Tally) -> float | None:
    """One-sided exact p of "B is better"; None with no games, or more than GAMES_MAX, on either side.

    Barnard's test would be the other choice, but scipy's breaks ties by the last bit of a float and gives a table
    and its mirror image different p-values.

    Source: Boschloo, Raised conditional level of significance for the 2x2-table when testing the equality of two
    probabilities, Statistica Neerlandica 24(1), 1970, as in `scipy.stats.boschloo_exact`.
    """
    if not (0 < b.games <= GAMES_MAX and 0 < production.games <= GAMES_MAX):
        return None
    from scipy.stats import boschloo_exact

    table = [[b.wins, production.wins], [b.games - b.wins, production.games - production.wins]]
    p = float(boschloo_exact(table, alternative="greater").pvalue)
    assert not math.isnan(p)
    return min(p, 1.0)
