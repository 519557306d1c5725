import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from ledger.evidence import Tally
from projections.decision.exact_test import GAMES_MAX, boschloo_p

# Games of each side, wins of B and of Production -> p, to four decimals; made on a fine grid of the common rate.
REFERENCE = [
    (3, 1, 0, 0.3438),
    (3, 3, 2, 0.3438),
    (3, 2, 1, 0.3438),
    (3, 2, 0, 0.1094),
    (3, 3, 1, 0.1094),
    (3, 3, 0, 0.0156),
    (5, 1, 0, 0.3770),
    (5, 3, 1, 0.1719),
    (5, 4, 2, 0.1719),
    (5, 4, 1, 0.0547),
    (5, 5, 1, 0.0107),
    (10, 6, 4, 0.2517),
    (10, 7, 5, 0.2251),
    (10, 7, 4, 0.1316),
    (10, 8, 4, 0.0447),
]


def tally(wins: int, games: int) -> Tally:
    return Tally(games=games, wins=wins)


@pytest.mark.parametrize(("games", "b", "production", "expected"), REFERENCE)
def test_the_exact_p_is_the_reference_value(games: int, b: int, production: int, expected: float) -> None:
    assert boschloo_p(tally(b, games), tally(production, games)) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(
    ("b", "production", "exact"),
    [((3, 3), (0, 3), 1 / 64), ((2, 3), (1, 3), 11 / 32), ((3, 3), (1, 3), 7 / 64), ((5, 5), (0, 5), 2**-10)],
)
def test_the_exact_p_is_a_polynomial_at_a_rate_of_one_half(
    b: tuple[int, int], production: tuple[int, int], exact: float
) -> None:
    """For these tables the worst common rate is one half, where p is a count of outcomes over a power of two."""
    assert boschloo_p(tally(*b), tally(*production)) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("won", [0, 3])
def test_the_exact_p_is_one_when_all_games_ended_alike(won: int) -> None:
    assert boschloo_p(tally(won, 3), tally(won, 3)) == pytest.approx(1.0)


@pytest.mark.parametrize(("b", "production"), [((0, 0), (1, 3)), ((1, 3), (0, 0)), ((9, GAMES_MAX + 1), (1, 3))])
def test_there_is_no_exact_p_without_games_or_with_many(b: tuple[int, int], production: tuple[int, int]) -> None:
    assert boschloo_p(tally(*b), tally(*production)) is None


def test_the_exact_p_is_there_up_to_the_last_game_that_it_takes() -> None:
    p = boschloo_p(tally(60, GAMES_MAX), tally(50, GAMES_MAX))

    assert p == pytest.approx(0.0839, abs=1e-3)


def fisher_p(b: int, production: int, b_games: int, production_games: int) -> Fraction:
    """How often B has so many of all wins, or more, when they fall on the games by lot."""
    wins, games = b + production, b_games + production_games
    more = range(b, min(b_games, wins) + 1)
    ways = sum(math.comb(b_games, it) * math.comb(production_games, wins - it) for it in more)
    return Fraction(ways, math.comb(games, wins))


def as_extreme(b: Tally, production: Tally) -> list[tuple[int, int]]:
    """The outcomes, (wins of B, wins of Production), that Fisher's test finds as unlikely as this one."""
    sides = (b.games, production.games)
    seen = fisher_p(b.wins, production.wins, *sides)
    outcomes = [(one, other) for one in range(b.games + 1) for other in range(production.games + 1)]
    return [(one, other) for one, other in outcomes if fisher_p(one, other, *sides) <= seen]


def chance(outcomes: list[tuple[int, int]], b_games: int, production_games: int, rate: float) -> float:
    """How likely one of the outcomes is when both win at the same rate."""
    return sum(
        math.comb(b_games, one)
        * math.comb(production_games, other)
        * rate ** (one + other)
        * (1 - rate) ** (b_games + production_games - one - other)
        for one, other in outcomes
    )


@st.composite
def tables(draw: st.DrawFn, games_max: int) -> tuple[Tally, Tally]:
    b_games, production_games = (draw(st.integers(1, games_max)) for _ in range(2))
    return tally(draw(st.integers(0, b_games)), b_games), tally(
        draw(st.integers(0, production_games)), production_games
    )


@given(tables(9))
@example((tally(1, 9), tally(0, 1)))
def test_the_exact_p_is_the_chance_of_such_an_outcome_at_the_worst_rate(table: tuple[Tally, Tally]) -> None:
    b, production = table
    outcomes = as_extreme(b, production)
    p = boschloo_p(b, production)

    rates = [math.sin(math.pi / 2 * step / 200) ** 2 for step in range(201)]
    highest = max(chance(outcomes, b.games, production.games, rate) for rate in rates)

    assert p is not None
    assert highest - 1e-10 <= p <= highest + 2e-3


@given(tables(GAMES_MAX))
def test_the_exact_p_is_the_same_with_losses_for_wins(table: tuple[Tally, Tally]) -> None:
    b, production = table
    mirrored = tally(production.games - production.wins, production.games), tally(b.games - b.wins, b.games)

    assert boschloo_p(b, production) == pytest.approx(boschloo_p(*mirrored), rel=1e-9)


@pytest.mark.parametrize(
    ("b", "production"),
    [((1, 1), (0, 1)), ((7, 9), (2, 14)), ((40, 61), (33, 60)), ((97, 100), (90, 100)), ((1, 100), (0, 3))],
)
def test_the_exact_p_is_that_of_scipy(b: tuple[int, int], production: tuple[int, int]) -> None:
    won, lost = [b[0], production[0]], [b[1] - b[0], production[1] - production[0]]

    expected = stats.boschloo_exact([won, lost], alternative="greater").pvalue

    assert boschloo_p(tally(*b), tally(*production)) == pytest.approx(expected, rel=1e-9)


def test_the_exact_p_is_the_highest_of_several_peaks() -> None:
    """The search that recorded it in earlier releases, `scipy.stats.boschloo_exact`, stops 1.5e-6 below."""
    assert boschloo_p(tally(54, 58), tally(55, 58)) == 0.7418695423
