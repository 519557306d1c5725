import pytest
from scipy import stats

from projections.decision.estimates import Cycles, quantile, share_by

FIRST = [*range(1, 101), *[0] * 100]
"""A hundred runs in which it happened at cycles 1 to 100, and as many in which it did not."""


@pytest.mark.parametrize(("look", "happened"), [(0, 0), (1, 1), (40, 40), (100, 100), (5_000, 100)])
def test_a_share_counts_the_runs_up_to_a_cycle(look: int, happened: int) -> None:
    share = share_by(FIRST, look)

    expected = stats.binomtest(happened, 200).proportion_ci(0.95, "wilson")
    assert share.value == happened / 200
    assert share[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_none_has_an_error_too() -> None:
    assert share_by([0] * 100, 9).upper > 0.03


def test_a_quantile_is_a_cycle_with_its_interval() -> None:
    assert quantile(FIRST, 0.25) == Cycles(50, 38, 63)


@pytest.mark.parametrize(
    ("part", "cycles"), [(0.1, Cycles(3, 3, 5)), (0.5, Cycles(5, 3, 8)), (0.9, Cycles(8, 5, 8))]
)
def test_of_a_few_runs_the_interval_ends_with_the_first_and_the_last(part: float, cycles: Cycles) -> None:
    assert quantile([5, 8, 3], part) == cycles


def test_a_quantile_that_was_not_reached_is_none() -> None:
    assert quantile(FIRST, 0.75) == Cycles(None, None, None)
    assert quantile([0] * 100, 0.5) == Cycles(None, None, None)


def test_a_quantile_may_be_known_only_to_one_side() -> None:
    assert quantile(FIRST, 0.5) == Cycles(100, 87, None)
