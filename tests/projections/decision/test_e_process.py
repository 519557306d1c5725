import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.decision.e_process import e_value, log_e_value, reaches
from tests.projections.stories import repeatable

# (favourable, all) -> E at a = 1 and at a = 10; made in three ways that agree.
REFERENCE = [
    ((0, 0), 1, 1),
    ((6, 6), 18.14285714, 3.202254154),
    ((4, 6), 0.9428571429, 1.241073762),
    ((10, 10), 186.0909091, 9.15522884),
    ((5, 10), 0.3694083694, 0.8131045588),
    ((0, 10), 0.09090909091, 0.2901056359),
    ((24, 40), 0.7633096935, 1.679341351),
    ((56, 98), 0.6244824402, 1.702523099),
    ((105, 200), 0.1720465253, 0.5621513022),
    ((110, 200), 0.4405736411, 1.356640541),
    ((220, 400), 0.9017502089, 2.84509989),
    ((1040, 2000), 0.2671890632, 0.9234506958),
    ((1080, 2000), 33.8376697, 112.1072882),
    ((950, 2000), 0.008653044637, 0.03046239963),
]
FRACTIONS = [
    ((6, 6, 1), Fraction(127, 7)),
    ((4, 6, 1), Fraction(33, 35)),
    ((10, 10, 1), Fraction(2047, 11)),
    ((5, 10, 1), Fraction(256, 693)),
    ((0, 10, 1), Fraction(1, 11)),
    ((6, 6, 10), Fraction(96536947, 30146560)),
    ((10, 10, 10), Fraction(84041590609, 9179627520)),
]

small = st.integers(0, 60)


@pytest.mark.parametrize(("tosses", "at_one", "at_ten"), REFERENCE)
def test_e_is_the_reference_value(tosses: tuple[int, int], at_one: float, at_ten: float) -> None:
    favourable, unfavourable = tosses[0], tosses[1] - tosses[0]

    for a, expected in ((1, at_one), (10, at_ten)):
        assert float(e_value(favourable, unfavourable, a)) == pytest.approx(expected, rel=1e-9)
        assert math.exp(log_e_value(favourable, unfavourable, a)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("tosses", "expected"), FRACTIONS)
def test_e_is_an_exact_fraction(tosses: tuple[int, int, int], expected: Fraction) -> None:
    favourable, games, a = tosses

    assert e_value(favourable, games - favourable, a) == expected


@pytest.mark.parametrize(
    ("favourable", "games", "expected"),
    [(2_000, 2_000, 1337.444312125852), (10_400, 20_000, 13.21535912621584), (0, 2_000, -6.341826846353982)],
)
def test_the_logarithm_keeps_its_digits_where_e_is_no_float_any_more(
    favourable: int, games: int, expected: float
) -> None:
    assert log_e_value(favourable, games - favourable, 10) == pytest.approx(expected, rel=1e-13)


@settings(repeatable)
@given(favourable=small, unfavourable=small, a=st.sampled_from([1, 3, 10, 25]))
def test_nobody_gains_by_the_next_toss_of_a_fair_coin(favourable: int, unfavourable: int, a: int) -> None:
    won, lost = e_value(favourable + 1, unfavourable, a), e_value(favourable, unfavourable + 1, a)

    assert won + lost == 2 * e_value(favourable, unfavourable, a)
    assert won > lost


@settings(repeatable)
@given(games=st.integers(1, 60), a=st.sampled_from([1, 3, 10]))
def test_e_rises_with_every_favourable_toss(games: int, a: int) -> None:
    values = [e_value(favourable, games - favourable, a) for favourable in range(games + 1)]

    assert values == sorted(set(values))


@settings(repeatable)
@given(favourable=st.integers(0, 400), unfavourable=st.integers(0, 400), a=st.sampled_from([1, 3, 10]))
def test_the_series_gives_the_fraction_s_logarithm(favourable: int, unfavourable: int, a: int) -> None:
    exact = e_value(favourable, unfavourable, a)

    logarithm = math.log(exact.numerator) - math.log(exact.denominator)
    assert log_e_value(favourable, unfavourable, a) == pytest.approx(logarithm, abs=1e-11)


def test_a_bound_that_e_meets_to_the_last_digit_is_reached() -> None:
    """Where floats are blind: the two bounds differ by one part in 10**30."""
    exact = e_value(10, 0, 10)

    assert reaches(10, 0, 10, exact)
    assert not reaches(10, 0, 10, exact * (1 + Fraction(1, 10**30)))


def test_a_bound_far_away_is_reached_or_not() -> None:
    assert reaches(10, 0, 10, Fraction(5))
    assert not reaches(9, 1, 10, Fraction(5))
