import pytest

from ledger.evidence import Tally
from projections.decision.sample_size import games_needed, games_needed_for_gain, is_small

# alpha, power, rates -> games of each side, to four decimals; made by another library.
REFERENCE = [
    (0.20, 0.80, 0.50, 0.55, 564.5358),
    (0.20, 0.80, 0.50, 0.60, 139.5394),
    (0.20, 0.80, 0.50, 0.70, 33.2876),
    (0.20, 0.80, 0.40, 0.45, 553.2026),
    (0.20, 0.80, 0.40, 0.50, 139.5394),
    (0.20, 0.90, 0.50, 0.55, 897.9578),
    (0.20, 0.90, 0.50, 0.60, 221.7774),
    (0.20, 0.90, 0.50, 0.70, 52.7281),
    (0.20, 0.90, 0.40, 0.45, 879.9263),
    (0.20, 0.90, 0.40, 0.50, 221.7774),
    (0.05, 0.80, 0.50, 0.55, 1232.3734),
    (0.05, 0.80, 0.50, 0.60, 304.9885),
    (0.05, 0.80, 0.50, 0.70, 73.1370),
    (0.05, 0.80, 0.40, 0.45, 1207.6432),
    (0.05, 0.80, 0.40, 0.50, 304.9885),
    (0.05, 0.90, 0.50, 0.55, 1706.6117),
    (0.05, 0.90, 0.50, 0.60, 422.0326),
    (0.05, 0.90, 0.50, 0.70, 100.8798),
    (0.05, 0.90, 0.40, 0.45, 1672.3563),
    (0.05, 0.90, 0.40, 0.50, 422.0326),
]


@pytest.mark.parametrize(("alpha", "power", "production", "b", "expected"), REFERENCE)
def test_the_games_needed_are_the_reference_values(
    alpha: float, power: float, production: float, b: float, expected: float
) -> None:
    assert games_needed(production, b, alpha, power) == pytest.approx(expected, abs=5.1e-5)


def test_the_games_needed_for_ten_points_are_whole() -> None:
    assert games_needed_for_gain(Tally(games=10, wins=5), 0.20) == 140
    assert games_needed_for_gain(Tally(games=10, wins=4), 0.05) == 305


@pytest.mark.parametrize(
    ("wins", "games", "there"), [(0, 0, False), (0, 9, True), (9, 10, True), (91, 100, False), (10, 10, False)]
)
def test_there_is_no_number_where_no_b_could_be_better_by_ten_points(wins: int, games: int, there: bool) -> None:
    assert (games_needed_for_gain(Tally(games=games, wins=wins), 0.20) is not None) == there


@pytest.mark.parametrize("alpha", [5e-324, 1e-12, 0.5, 0.999, 1 - 2**-53])
def test_the_games_needed_are_a_number_for_every_alpha(alpha: float) -> None:
    needed = games_needed_for_gain(Tally(games=10, wins=5), alpha)

    assert needed is not None
    assert needed >= 0
    assert (needed == 0) == (alpha > 0.8)


@pytest.mark.parametrize(
    ("b", "production", "small"),
    [
        ((15, 30), (15, 30), False),
        ((15, 29), (15, 30), True),
        ((15, 30), (15, 29), True),
        ((4, 300), (150, 300), True),
        ((296, 300), (150, 300), True),
        ((150, 300), (4, 300), True),
        ((150, 300), (296, 300), True),
        ((5, 300), (295, 300), False),
        ((0, 0), (0, 0), True),
    ],
)
def test_few_games_or_few_of_one_kind_are_a_small_sample(
    b: tuple[int, int], production: tuple[int, int], small: bool
) -> None:
    assert is_small(Tally(games=b[1], wins=b[0]), Tally(games=production[1], wins=production[0])) == small
