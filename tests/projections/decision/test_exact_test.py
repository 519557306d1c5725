import pytest

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
