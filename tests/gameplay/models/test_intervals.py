import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.models.artifacts import Score
from gameplay.models.intervals import Interval, difference, wilson


@pytest.mark.parametrize(
    ("score", "low", "high"),
    [
        (Score(0, 10), 0.0, 0.2775328),
        (Score(5, 10), 0.2365931, 0.7634069),
        (Score(10, 10), 0.7224672, 1.0),
        (Score(81, 263), 0.2553, 0.3662),
    ],
)
def test_an_interval_of_a_share_is_the_published_one(score: Score, low: float, high: float) -> None:
    assert wilson(score, 0.95) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        (Score(12, 20), Score(8, 20), -0.0566, 0.4229),
        (Score(7, 12), Score(5, 11), -0.1949, 0.4183),
        (Score(0, 5), Score(4, 5), -0.9540, -0.2937),
        (Score(3, 3), Score(0, 3), 0.3294, 1.0),
        (Score(0, 3), Score(0, 3), -0.4742, 0.4742),
        (Score(5200, 10000), Score(5000, 10000), 0.0084, 0.0316),
    ],
)
def test_an_interval_of_a_difference_is_the_reference_one(
    one: Score, other: Score, low: float, high: float
) -> None:
    assert difference(one, other, 0.90) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_share_lies_in_its_interval(rows: int, part: float, confidence: float) -> None:
    correct = round(part * rows)

    assert correct / rows in wilson(Score(correct, rows), confidence)
    assert wilson(Score(rows, rows), confidence).high == 1.0
    assert wilson(Score(0, rows), confidence).low == 0.0


def test_a_difference_turned_round_is_the_same_with_the_other_sign() -> None:
    low, high = difference(Score(7, 12), Score(50, 110), 0.99)

    assert difference(Score(50, 110), Score(7, 12), 0.99) == pytest.approx((-high, -low))


def test_an_interval_holds_its_ends() -> None:
    assert 0.0 in Interval(0.0, 1.0)
    assert 1.0 in Interval(0.0, 1.0)
    assert 1.1 not in Interval(0.0, 1.0)
