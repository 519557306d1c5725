import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.game.policies import FINISH_BONUS, UNIFORM, choose, expected_values
from gameplay.game.rules import BEATEN_BY, most_valuable, round_points
from ledger.events import Points
from ledger.facts import Probabilities
from ledger.vocabulary import MOVES, Move

POINTS = Points(rock=10, paper=12, scissors=17)
CERTAIN: dict[Move, Probabilities] = {"rock": (1, 0, 0), "paper": (0, 1, 0), "scissors": (0, 0, 1)}

scores = st.integers(0, 99)
any_points = st.builds(round_points, st.text(min_size=1, max_size=10), st.integers(1, 20))


@st.composite
def distributions(draw: st.DrawFn) -> Probabilities:
    weights = draw(st.tuples(*[st.integers(0, 1_000)] * 3).filter(any))
    rock, paper, scissors = (weight / sum(weights) for weight in weights)
    return rock, paper, scissors


def test_expected_values_weigh_gain_against_loss_when_the_game_goes_on() -> None:
    values = expected_values((0.5, 0.2, 0.3), POINTS, 0, 0)

    assert values == pytest.approx(
        {
            "rock": 0.3 * 1.0 - 0.2 * 1.2,
            "paper": 0.5 * 1.2 - 0.3 * 1.7,
            "scissors": 0.2 * 1.7 - 0.5 * 1.0,
        }
    )


def test_expected_values_add_a_bonus_when_the_bots_win_ends_the_game() -> None:
    # Only scissors, worth 1.7, would take the bot from 8.5 over the target.
    values = expected_values((0.5, 0.2, 0.3), POINTS, 0, 85)

    assert values["scissors"] == pytest.approx(0.2 * (1.7 + FINISH_BONUS) - 0.5 * 1.0)
    assert values["rock"] == pytest.approx(0.3 * 1.0 - 0.2 * 1.2)


def test_expected_values_take_a_bonus_off_when_the_players_win_ends_the_game() -> None:
    values = expected_values((0.5, 0.2, 0.3), POINTS, 85, 0)

    assert values["paper"] == pytest.approx(0.5 * 1.2 - 0.3 * (1.7 + FINISH_BONUS))
    assert values["rock"] == pytest.approx(0.3 * 1.0 - 0.2 * 1.2)


@pytest.mark.parametrize(
    ("user_score", "bot_score", "bonus"), [(90, 96, FINISH_BONUS), (96, 90, -FINISH_BONUS), (95, 95, 0.0)]
)
def test_expected_values_count_a_draw_when_it_ends_the_game(user_score: int, bot_score: int, bonus: float) -> None:
    values = expected_values(CERTAIN["rock"], POINTS, user_score, bot_score)

    assert values["rock"] == pytest.approx(bonus)


@given(any_points, scores, scores, st.sampled_from(MOVES))
def test_choose_beats_the_move_when_it_is_certain(
    points: Points, user_score: int, bot_score: int, move: Move
) -> None:
    assert choose(CERTAIN[move], points, user_score, bot_score) == BEATEN_BY[move]


@given(any_points, st.integers(0, 79), st.integers(0, 79))
def test_choose_takes_the_most_valuable_move_when_nothing_is_known(
    points: Points, user_score: int, bot_score: int
) -> None:
    # Against chance what counts is what a move gains less what it concedes: the most valuable move gains most
    # and concedes only the plain one's points.
    assert choose(UNIFORM, points, user_score, bot_score) == most_valuable(points)


@given(distributions(), any_points, scores, scores)
def test_choose_takes_the_best_value_and_the_same_one_when_asked_twice(
    probabilities: Probabilities, points: Points, user_score: int, bot_score: int
) -> None:
    values = expected_values(probabilities, points, user_score, bot_score)

    chosen = choose(probabilities, points, user_score, bot_score)

    assert values[chosen] == pytest.approx(max(values.values()), abs=1e-8)
    assert chosen == choose(probabilities, points, user_score, bot_score)


@pytest.mark.parametrize(
    ("user_score", "bot_score", "expected"),
    [
        (40, 20, "paper"),  # Behind: worth 1.2 rather than 1.0.
        (30, 30, "paper"),
        (20, 40, "rock"),  # Ahead: rock concedes paper's 1.2, paper would concede scissors' 1.7.
    ],
)
def test_choose_resolves_by_the_score_when_two_moves_tie(user_score: int, bot_score: int, expected: Move) -> None:
    # Rock gains s * 1.0 - p * 1.2 and paper r * 1.2 - s * 1.7: equal where 2.7 * s = 1.2 * (1 - s).
    scissors = 1.2 / 3.9
    probabilities = (0.9 - scissors, 0.1, scissors)
    values = expected_values(probabilities, POINTS, user_score, bot_score)
    assert values["rock"] == pytest.approx(values["paper"], abs=1e-12)

    assert choose(probabilities, POINTS, user_score, bot_score) == expected
