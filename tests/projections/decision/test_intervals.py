import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ledger.evidence import Tally
from projections.decision.e_process import log_beta
from projections.decision.intervals import confidence_sequence, newcombe

# (wins, games) of B and of Production -> 90 % interval, to four decimals; made by another library.
NEWCOMBE = [
    ((2, 3), (1, 3), (-0.2509, 0.6941)),
    ((1, 3), (0, 3), (-0.2051, 0.7465)),
    ((3, 3), (0, 3), (0.3294, 1)),
    ((2, 2), (0, 3), (0.2547, 1)),
    ((0, 5), (4, 5), (-0.9540, -0.2937)),
    ((7, 12), (5, 11), (-0.1949, 0.4183)),
    ((12, 20), (8, 20), (-0.0566, 0.4229)),
    ((30, 50), (22, 48), (-0.0235, 0.2965)),
    ((55, 100), (50, 100), (-0.0654, 0.1636)),
    ((60, 100), (50, 100), (-0.0155, 0.2118)),
    ((540, 1000), (500, 1000), (0.0033, 0.0766)),
    ((5200, 10000), (5000, 10000), (0.0084, 0.0316)),
    ((3, 3), (3, 3), (-0.4742, 0.4742)),
    ((0, 3), (0, 3), (-0.4742, 0.4742)),
    ((5, 5), (10, 10), (-0.3511, 0.2129)),
]
SEQUENCE = [
    ((24, 40), (-0.1926, 0.5529)),
    ((110, 200), (-0.0895, 0.2847)),
    ((1040, 2000), (-0.0281, 0.1078)),
    ((1080, 2000), (0.0116, 0.1479)),
]

tallies = st.integers(1, 10_000).flatmap(
    lambda games: st.builds(Tally, games=st.just(games), wins=st.integers(0, games))
)


def tally(wins: int, games: int) -> Tally:
    return Tally(games=games, wins=wins)


@pytest.mark.parametrize(("b", "production", "expected"), NEWCOMBE)
def test_the_interval_is_the_reference_value(
    b: tuple[int, int], production: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert newcombe(tally(*b), tally(*production), 0.9) == pytest.approx(expected, abs=5.1e-5)


@settings(max_examples=50)
@given(b=tallies, production=tallies, level=st.sampled_from([0.8, 0.9, 0.99]))
def test_the_interval_is_made_of_two_wilson_intervals(b: Tally, production: Tally, level: float) -> None:
    mine, other = (stats.binomtest(one.wins, one.games).proportion_ci(level, "wilson") for one in (b, production))
    b_rate, production_rate = b.wins / b.games, production.wins / production.games
    difference = b_rate - production_rate

    interval = newcombe(b, production, level)

    assert interval == pytest.approx(
        (
            difference - math.hypot(b_rate - mine.low, other.high - production_rate),
            difference + math.hypot(mine.high - b_rate, production_rate - other.low),
        ),
        abs=1e-9,
    )


@settings(max_examples=50)
@given(b=tallies, production=tallies)
def test_the_interval_turns_round_when_the_sides_are_exchanged(b: Tally, production: Tally) -> None:
    forward, backward = newcombe(b, production, 0.9), newcombe(production, b, 0.9)

    assert forward is not None
    assert backward is not None
    assert forward == pytest.approx((-backward.upper, -backward.lower), abs=1e-12)
    assert -1 <= forward.lower <= b.wins / b.games - production.wins / production.games <= forward.upper <= 1


@pytest.mark.parametrize(("b", "production"), [((0, 0), (1, 3)), ((1, 3), (0, 0))])
def test_there_is_no_interval_without_games(b: tuple[int, int], production: tuple[int, int]) -> None:
    assert newcombe(tally(*b), tally(*production), 0.9) is None
    assert confidence_sequence(0, 0, 10, 0.9) is None


@pytest.mark.parametrize(("tosses", "expected"), SEQUENCE)
def test_the_confidence_sequence_is_the_reference_value(
    tosses: tuple[int, int], expected: tuple[float, float]
) -> None:
    favourable, games = tosses

    assert confidence_sequence(favourable, games - favourable, 10, 0.9) == pytest.approx(expected, abs=5.1e-5)


@settings(max_examples=50)
@given(favourable=st.integers(0, 3_000), unfavourable=st.integers(0, 3_000), a=st.sampled_from([1, 10]))
def test_the_confidence_sequence_ends_where_the_mixture_doubts(favourable: int, unfavourable: int, a: int) -> None:
    tosses = favourable + unfavourable
    interval = confidence_sequence(favourable, unfavourable, a, 0.9)
    if not tosses:
        assert interval is None
        return
    assert interval is not None
    assert interval.lower <= 2 * favourable / tosses - 1 <= interval.upper
    mixture = log_beta(a + favourable, a + unfavourable) - log_beta(a, a)

    def doubts(difference: float) -> bool:
        share = min(max((difference + 1) / 2, 0.0), 1.0)
        if (favourable and share == 0) or (unfavourable and share == 1):
            return True
        likelihood = (favourable and favourable * math.log(share)) + (
            unfavourable and unfavourable * math.log(1 - share)
        )
        return mixture - likelihood >= math.log(10)

    near = 1e-9  # near a share of 0 the doubt itself grows without bounds: what is compared is where it begins
    assert not doubts(min(interval.lower + near, interval.upper))
    assert not doubts(max(interval.upper - near, interval.lower))
    assert interval.lower == -1 or doubts(interval.lower - near)
    assert interval.upper == 1 or doubts(interval.upper + near)


def test_the_confidence_sequence_reaches_the_end_when_all_tosses_fall_one_way() -> None:
    assert confidence_sequence(3, 0, 10, 0.9) == pytest.approx((-0.5147144993594819, 1.0), abs=1e-9)
    assert confidence_sequence(0, 3, 10, 0.9) == pytest.approx((-1.0, 0.5147144993594819), abs=1e-9)
