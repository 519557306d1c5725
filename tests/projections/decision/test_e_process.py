import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.decision.e_process import e_value, fewest_favourable, log_e_value, reaches
from projections.decision.e_process import lead_missing as lead_missing_from

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


def lead_missing(favourable: int, unfavourable: int, a: int, criterion: Fraction) -> int:
    return lead_missing_from(log_e_value(favourable, unfavourable, a), favourable, unfavourable, a, criterion)


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


@given(favourable=small, unfavourable=small, a=st.sampled_from([1, 3, 10, 25]))
def test_the_next_toss_of_a_fair_coin_gains_nothing_on_average(favourable: int, unfavourable: int, a: int) -> None:
    won, lost = e_value(favourable + 1, unfavourable, a), e_value(favourable, unfavourable + 1, a)

    assert won + lost == 2 * e_value(favourable, unfavourable, a)
    assert won > lost


@given(games=st.integers(1, 60), a=st.sampled_from([1, 3, 10]))
def test_e_rises_with_every_favourable_toss(games: int, a: int) -> None:
    values = [e_value(favourable, games - favourable, a) for favourable in range(games + 1)]

    assert values == sorted(set(values))


@given(favourable=st.integers(0, 400), unfavourable=st.integers(0, 400), a=st.sampled_from([1, 3, 10]))
def test_the_series_gives_the_fraction_s_logarithm(favourable: int, unfavourable: int, a: int) -> None:
    exact = e_value(favourable, unfavourable, a)

    logarithm = math.log(exact.numerator) - math.log(exact.denominator)
    assert log_e_value(favourable, unfavourable, a) == pytest.approx(logarithm, abs=1e-11)


def test_a_criterion_that_e_meets_to_the_last_digit_is_reached() -> None:
    """Where floats are blind: the two criteria differ by one part in 10**30."""
    exact = e_value(10, 0, 10)

    assert reaches(10, 0, 10, exact)
    assert not reaches(10, 0, 10, exact * (1 + Fraction(1, 10**30)))


def test_a_criterion_far_away_is_reached_or_not() -> None:
    assert reaches(10, 0, 10, Fraction(5))
    assert not reaches(9, 1, 10, Fraction(5))


# Tosses in all -> the fewest favourable ones at a = 10, for alpha 0.20 and 0.05.
FEWEST = {
    Fraction(5): {
        8: 8, 10: 10, 15: 13, 20: 16, 30: 21, 40: 27, 60: 39, 100: 61, 200: 116, 400: 223, 1000: 539, 2000: 1058,
    },
    Fraction(20): {13: 13, 20: 18, 40: 30, 100: 64, 200: 120, 1000: 547},
}  # fmt: skip


@pytest.mark.parametrize("criterion", FEWEST)
def test_the_fewest_favourable_tosses_are_the_reference_values(criterion: Fraction) -> None:
    expected = FEWEST[criterion]

    fewest = fewest_favourable(max(expected), 10, criterion)

    assert {tosses: fewest[tosses] for tosses in expected} == expected
    assert len(fewest) == max(expected) + 1


@settings(max_examples=50)
@given(
    tosses=st.integers(0, 500),
    a=st.sampled_from([1, 3, 10, 25]),
    criterion=st.fractions(Fraction(1, 2), 1_000, max_denominator=100),
)
def test_one_favourable_toss_fewer_is_not_enough(tosses: int, a: int, criterion: Fraction) -> None:
    fewest = fewest_favourable(tosses, a, criterion)[tosses]

    assert fewest > tosses or reaches(fewest, tosses - fewest, a, criterion)
    assert fewest == 0 or not reaches(fewest - 1, tosses - fewest + 1, a, criterion)


def test_the_fewest_favourable_tosses_are_found_where_e_meets_the_criterion_to_the_last_digit() -> None:
    exact = e_value(10, 2, 10)

    assert fewest_favourable(12, 10, exact)[12] == 10
    assert fewest_favourable(12, 10, exact * (1 + Fraction(1, 10**30)))[12] == 11


@settings(max_examples=50)
@given(
    favourable=st.integers(0, 200),
    unfavourable=st.integers(0, 200),
    criterion=st.sampled_from([Fraction(5), Fraction(20), Fraction(10**6)]),
)
def test_the_missing_lead_is_the_fewest_tosses_in_a_row(
    favourable: int, unfavourable: int, criterion: Fraction
) -> None:
    missing = lead_missing(favourable, unfavourable, 10, criterion)

    assert reaches(favourable + missing, unfavourable, 10, criterion)
    assert missing == 0 or not reaches(favourable + missing - 1, unfavourable, 10, criterion)


@pytest.mark.parametrize(("favourable", "unfavourable"), [(0, 3_000), (200, 2_500), (3_000, 0)])
def test_the_missing_lead_is_found_where_the_tail_is_no_float(favourable: int, unfavourable: int) -> None:
    missing = lead_missing(favourable, unfavourable, 10, Fraction(5))

    assert reaches(favourable + missing, unfavourable, 10, Fraction(5))
    assert missing == 0 or not reaches(favourable + missing - 1, unfavourable, 10, Fraction(5))


def test_no_lead_is_missing_once_the_criterion_is_reached() -> None:
    assert lead_missing(8, 0, 10, Fraction(5)) == 0
    assert lead_missing(7, 0, 10, Fraction(5)) == 1
    assert lead_missing(0, 0, 10, Fraction(5)) == 8
