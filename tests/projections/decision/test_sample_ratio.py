import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from projections.decision.sample_ratio import chi_square_p, log_mismatch_e, sample_ratio

# Games of B and of Production -> p, E at a = 1 and at a = 50.
REFERENCE = [
    (3, 3, 1, 0.457143, 0.971148),
    (5, 1, 0.1024704, 1.52381, 1.04805),
    (13, 0, 3.114910e-4, 585.143, 2.00321),
    (20, 10, 0.06788915, 1.15283, 1.29204),
    (40, 20, 9.823275e-3, 4.50884, 2.78777),
    (60, 40, 0.04550026, 0.91305, 1.93265),
    (65, 35, 2.699796e-3, 11.4614, 6.83535),
    (120, 80, 4.677735e-3, 4.85329, 8.43712),
    (530, 470, 0.05777957, 0.239415, 1.54875),
    (560, 440, 1.478023e-4, 53.5865, 213.421),
    (5200, 4800, 6.334248e-5, 37.4078, 274.133),
]


@pytest.mark.parametrize(("b", "production", "p", "at_one", "at_fifty"), REFERENCE)
def test_the_sample_ratio_is_the_reference_value(
    b: int, production: int, p: float, at_one: float, at_fifty: float
) -> None:
    assert chi_square_p(b, production) == pytest.approx(p, rel=1e-6)
    assert math.exp(log_mismatch_e(b, production, 1)) == pytest.approx(at_one, rel=5e-6)
    assert math.exp(log_mismatch_e(b, production, 50)) == pytest.approx(at_fifty, rel=5e-6)


@settings(max_examples=50)
@given(b=st.integers(0, 5_000), production=st.integers(1, 5_000), share=st.sampled_from([0.1, 0.5, 0.75]))
def test_p_is_that_of_the_chi_square_test_for_any_split(b: int, production: int, share: float) -> None:
    games = b + production
    expected = stats.chisquare([b, production], [share * games, (1 - share) * games]).pvalue

    assert chi_square_p(b, production, share) == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@settings(max_examples=50)
@given(b=st.integers(0, 500), production=st.integers(0, 500), share=st.sampled_from([0.1, 0.5, 0.75]))
def test_a_true_split_gains_nothing_on_average(b: int, production: int, share: float) -> None:
    here = log_mismatch_e(b, production, 50, share)
    to_b = math.exp(log_mismatch_e(b + 1, production, 50, share) - here)
    to_production = math.exp(log_mismatch_e(b, production + 1, 50, share) - here)

    assert share * to_b + (1 - share) * to_production == pytest.approx(1, rel=1e-9)


def test_no_games_are_no_mismatch() -> None:
    assert chi_square_p(0, 0) == 1
    assert log_mismatch_e(0, 0, 50) == 0
    assert not sample_ratio(0, 0).mismatch


@pytest.mark.parametrize(
    ("b", "production", "share", "mismatch"),
    [
        (5, 5, 0.5, False),
        (10, 0, 0.5, False),
        (11, 0, 0.5, True),
        (530, 470, 0.5, False),
        (560, 440, 0.5, True),
        (440, 560, 0.5, True),
        (100, 300, 0.25, False),
        (200, 200, 0.25, True),
    ],
)
def test_a_split_that_is_not_the_intended_one_is_a_mismatch(
    b: int, production: int, share: float, mismatch: bool
) -> None:
    assert sample_ratio(b, production, share).mismatch == mismatch
