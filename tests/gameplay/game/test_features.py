import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.game.features import FEATURE_NAMES, features
from gameplay.game.rounds import LOOK_BACK, PastRound, past_round, past_rounds
from gameplay.game.rules import judge, round_points, score, winner
from ledger.events import Points, RoundPlayed
from ledger.vocabulary import MOVES, Move

game_ids = st.text(min_size=1, max_size=20)
move_lists = st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(MOVES)), min_size=LOOK_BACK, max_size=20)

# The player takes the most valuable move (rock), then the one that beats it (scissors, over paper), then the
# third (paper, where scissors is on top and rock beats it).
ROUNDS = (
    PastRound(Points(rock=16, paper=10, scissors=11), "rock", "scissors", "win", 16, 0),
    PastRound(Points(rock=12, paper=17, scissors=10), "scissors", "rock", "lose", 16, 12),
    PastRound(Points(rock=10, paper=13, scissors=18), "paper", "paper", "draw", 21, 17),
)
NEXT = Points(rock=19, paper=10, scissors=14)


def ongoing(moves: list[tuple[Move, Move]], game_id: str) -> list[tuple[Move, Move]]:
    """The moves before the one that would end the game."""
    for count in range(1, len(moves) + 1):
        last = past_rounds(moves[:count], game_id)[-1]
        if winner(last.user_score_tenths, last.bot_score_tenths) is not None:
            return moves[: count - 1]
    return moves


def recorded(moves: list[tuple[Move, Move]], game_id: str) -> list[RoundPlayed]:
    events: list[RoundPlayed] = []
    user_score = bot_score = 0
    for round_no, (user_move, bot_move) in enumerate(moves, start=1):
        points = round_points(game_id, round_no)
        result = judge(user_move, bot_move)
        user_delta, bot_delta = score(result, user_move, bot_move, points)
        user_score += user_delta
        bot_score += bot_delta
        events.append(
            RoundPlayed(
                game_id=game_id,
                round=round_no,
                user_move=user_move,
                bot_move=bot_move,
                result=result,
                points=points,
                user_delta_tenths=user_delta,
                bot_delta_tenths=bot_delta,
                user_score_tenths=user_score,
                bot_score_tenths=bot_score,
                policy="brian",
                difficulty="standard",
                model_type="feedforward_nn",
                alias="Production",
                model_version=1,
                probability_source="model",
                in_metrics=True,
            )
        )
    return events


def test_feature_names_are_fifty_and_different_when_listed() -> None:
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 50


def test_features_stand_at_their_names_when_computed_by_hand() -> None:
    named = dict(zip(FEATURE_NAMES, features(ROUNDS, NEXT).tolist(), strict=True))

    # Given so few rounds, what is not named here is zero.
    expected = dict.fromkeys(FEATURE_NAMES, 0.0) | {
        "player_lag1_paper": 1,
        "player_lag2_scissors": 1,
        "player_lag3_rock": 1,
        "bot_lag1_paper": 1,
        "bot_lag2_rock": 1,
        "bot_lag3_scissors": 1,
        "result_lag1_draw": 1,
        "result_lag2_lose": 1,
        "result_lag3_win": 1,
        "points_rock": 1.9,
        "points_paper": 1.0,
        "points_scissors": 1.4,
        "points_lag1_rock": 1.0,
        "points_lag1_paper": 1.3,
        "points_lag1_scissors": 1.8,
        "points_lag2_rock": 1.2,
        "points_lag2_paper": 1.7,
        "points_lag2_scissors": 1.0,
        "points_lag3_rock": 1.6,
        "points_lag3_paper": 1.0,
        "points_lag3_scissors": 1.1,
        "player_share_rock": 1 / 3,
        "player_share_paper": 1 / 3,
        "player_share_scissors": 1 / 3,
        "player_share_most_valuable": 1 / 3,
        "player_share_beats_most_valuable": 1 / 3,
        "player_share_third": 1 / 3,
        "score_difference": 0.4,
        "player_points_to_win": 7.9,
        "bot_points_to_win": 8.3,
        "round_number": 4,
    }
    assert named == pytest.approx(expected, abs=1e-6)


def test_features_keep_their_order_when_models_of_last_year_read_them() -> None:
    assert FEATURE_NAMES[:3] == ("player_lag1_rock", "player_lag1_paper", "player_lag1_scissors")
    assert FEATURE_NAMES[9] == "bot_lag1_rock"
    assert FEATURE_NAMES[18:21] == ("result_lag1_win", "result_lag1_lose", "result_lag1_draw")
    assert FEATURE_NAMES[27] == "points_rock"
    assert FEATURE_NAMES[30] == "points_lag1_rock"
    assert FEATURE_NAMES[39] == "player_share_rock"
    assert FEATURE_NAMES[42] == "player_share_most_valuable"
    assert FEATURE_NAMES[45:] == (
        "score_difference",
        "player_points_to_win",
        "bot_points_to_win",
        "round_number",
        "easy_mode",
    )


def test_features_weigh_every_round_when_the_game_is_longer_than_the_look_back() -> None:
    older = (PastRound(Points(rock=16, paper=10, scissors=11), "rock", "rock", "draw", 5, 5),) * 3
    named = dict(zip(FEATURE_NAMES, features(older + ROUNDS, NEXT).tolist(), strict=True))

    assert named["player_share_rock"] == pytest.approx(4 / 6)
    assert named["player_share_most_valuable"] == pytest.approx(4 / 6)
    assert named["round_number"] == 7


@pytest.mark.parametrize(
    ("place", "share"),
    [
        (0, "player_share_most_valuable"),
        (1, "player_share_beats_most_valuable"),
        (2, "player_share_third"),
    ],
)
def test_features_tell_the_players_taste_when_it_is_always_the_same(place: int, share: str) -> None:
    past = (ROUNDS[place],) * 3

    named = dict(zip(FEATURE_NAMES, features(past, NEXT).tolist(), strict=True))

    shares = {name for name in FEATURE_NAMES[42:45] if named[name]}
    assert shares == {share}


def test_features_of_rounds_that_were_not_played_are_zero() -> None:
    first = dict(zip(FEATURE_NAMES, features((), NEXT).tolist(), strict=True))
    third = dict(zip(FEATURE_NAMES, features(ROUNDS[:2], NEXT).tolist(), strict=True))

    announced = {"points_rock", "points_paper", "points_scissors", "player_points_to_win", "bot_points_to_win"}
    assert {name for name, value in first.items() if value} == {*announced, "round_number"}
    assert (first["player_points_to_win"], first["round_number"]) == (10, 1)
    assert [third[f"player_lag{lag}_{move}"] for lag, move in ((1, "scissors"), (2, "rock"))] == [1, 1]
    assert {third[name] for name in FEATURE_NAMES if "lag3" in name} == {0}
    assert third["player_share_rock"] == third["player_share_scissors"] == 0.5


@given(move_lists, game_ids)
def test_features_are_fifty_finite_numbers_when_any_game_is_played(
    moves: list[tuple[Move, Move]], game_id: str
) -> None:
    past = past_rounds(ongoing(moves, game_id), game_id)

    vector = features(past, round_points(game_id, len(past) + 1))

    assert vector.shape == (50,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert vector[:27].sum() == 9
    assert vector[39:42].sum() == pytest.approx(1, abs=1e-6)
    assert vector[42:45].sum() == pytest.approx(1, abs=1e-6)
    assert (vector[46:48] > 0).all()
    assert vector[49] == 0


@given(move_lists, game_ids)
def test_features_of_a_bare_history_equal_the_recorded_ones_when_rebuilt_by_the_rules(
    moves: list[tuple[Move, Move]], game_id: str
) -> None:
    moves = ongoing(moves, game_id)
    points = round_points(game_id, len(moves) + 1)

    from_ledger = [past_round(event) for event in recorded(moves, game_id)]

    assert past_rounds(moves, game_id) == from_ledger
    assert features(past_rounds(moves, game_id), points).tobytes() == features(from_ledger, points).tobytes()


@given(move_lists, game_ids, st.sampled_from(MOVES))
def test_features_see_only_the_past_when_the_game_goes_on(
    moves: list[tuple[Move, Move]], game_id: str, later: Move
) -> None:
    moves = ongoing(moves, game_id)
    points = round_points(game_id, len(moves) + 1)

    longer = past_rounds([*moves, (later, later)], game_id)

    assert features(longer[:-1], points).tobytes() == features(past_rounds(moves, game_id), points).tobytes()


def test_past_rounds_refuse_when_moves_go_on_after_the_end() -> None:
    with pytest.raises(ValueError, match="game g ended in round 20, but has a round 21"):
        past_rounds([("rock", "rock")] * 21, "g")
