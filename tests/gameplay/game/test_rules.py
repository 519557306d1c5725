import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.game.rules import (
    BEATEN_BY,
    BEATS,
    PLAIN_TENTHS,
    TARGET_TENTHS,
    assigned_alias,
    judge,
    most_valuable,
    round_points,
    score,
    winner,
    worth,
)
from ledger.events import Points
from ledger.vocabulary import MOVES, Move, Result, Winner

# The poorest round hands out 10 tenths (a draw, or a win with the plain move), and two scores below the target sum
# to less than twice the target: no game is longer than this.
ROUNDS_MAX = 2 * TARGET_TENTHS // PLAIN_TENTHS

game_ids = st.text(min_size=1, max_size=40)
moves = st.sampled_from(MOVES)
PLAIN_ROCK = Points(rock=10, paper=12, scissors=17)


@pytest.mark.parametrize(
    ("user_move", "bot_move", "result"),
    [
        ("rock", "scissors", "win"),
        ("paper", "rock", "win"),
        ("scissors", "paper", "win"),
        ("scissors", "rock", "lose"),
        ("rock", "paper", "lose"),
        ("paper", "scissors", "lose"),
        ("rock", "rock", "draw"),
    ],
)
def test_judge_tells_the_players_result_when_both_have_moved(
    user_move: Move, bot_move: Move, result: Result
) -> None:
    assert judge(user_move, bot_move) == result


def test_beaten_by_is_the_inverse_of_beats_when_applied_to_any_move() -> None:
    assert all(BEATEN_BY[BEATS[move]] == move for move in MOVES)
    assert set(BEATS) == set(BEATEN_BY) == set(MOVES)


@given(game_ids, st.integers(1, 10_000))
def test_round_points_hold_their_relation_when_drawn_for_any_round(game_id: str, round_no: int) -> None:
    points = round_points(game_id, round_no)

    [plain] = [move for move in MOVES if worth(points, move) == 10]
    base = worth(points, BEATEN_BY[plain])
    assert base in range(11, 16)
    assert worth(points, BEATS[plain]) == base + 5
    assert most_valuable(points) == BEATS[plain]
    assert len({points.rock, points.paper, points.scissors}) == 3
    assert points == round_points(game_id, round_no)


def test_round_points_stay_as_shipped_when_recomputed_years_later() -> None:
    # A change here makes every recorded game disagree with its own game id.
    assert round_points("golden", 1) == Points(rock=14, paper=19, scissors=10)
    assert round_points("golden", 2) == Points(rock=10, paper=11, scissors=16)


def test_round_points_take_every_shape_evenly_when_many_are_drawn() -> None:
    drawn = [round_points(f"game-{number}", 1) for number in range(6_000)]

    shapes = {points: drawn.count(points) for points in set(drawn)}
    assert len(shapes) == 15
    assert all(300 < count < 500 for count in shapes.values())


@given(st.integers(), st.integers(), st.integers())
def test_most_valuable_is_a_maximum_when_values_are_any(rock: int, paper: int, scissors: int) -> None:
    points = Points(rock=rock, paper=paper, scissors=scissors)

    assert worth(points, most_valuable(points)) == max(rock, paper, scissors)


def test_score_gives_the_played_moves_points_when_a_side_wins() -> None:
    assert score("win", "scissors", "paper", PLAIN_ROCK) == (17, 0)
    assert score("lose", "rock", "paper", PLAIN_ROCK) == (0, 12)


def test_score_gives_half_a_point_to_both_when_drawn() -> None:
    assert score("draw", "scissors", "scissors", PLAIN_ROCK) == (5, 5)


@pytest.mark.parametrize(
    ("user_score", "bot_score", "expected"),
    [
        (0, 0, None),
        (99, 99, None),
        (100, 99, "user"),
        (0, 100, "bot"),
        (100, 104, "bot"),
        (104, 100, "user"),
        (100, 100, "tie"),
    ],
)
def test_winner_is_the_higher_score_when_the_target_is_reached(
    user_score: int, bot_score: int, expected: Winner | None
) -> None:
    assert winner(user_score, bot_score) == expected


@given(game_ids, st.lists(st.tuples(moves, moves), min_size=ROUNDS_MAX, max_size=ROUNDS_MAX))
def test_game_ends_when_any_moves_are_played(game_id: str, played: list[tuple[Move, Move]]) -> None:
    user_score = bot_score = 0
    for round_no, (user_move, bot_move) in enumerate(played, start=1):
        result = judge(user_move, bot_move)
        deltas = score(result, user_move, bot_move, round_points(game_id, round_no))
        user_score += deltas[0]
        bot_score += deltas[1]
        if winner(user_score, bot_score) is not None:
            break

    assert winner(user_score, bot_score) is not None
    assert max(user_score, bot_score) >= TARGET_TENTHS


def test_game_takes_the_most_rounds_when_all_are_drawn() -> None:
    assert winner(5 * (ROUNDS_MAX - 1), 5 * (ROUNDS_MAX - 1)) is None
    assert winner(5 * ROUNDS_MAX, 5 * ROUNDS_MAX) == "tie"


@pytest.mark.parametrize("split", [0.1, 0.5, 0.9])
def test_assigned_alias_gives_b_its_share_when_many_games_start(split: float) -> None:
    assigned = [assigned_alias(f"game-{number}", split) for number in range(10_000)]

    assert assigned.count("B") / len(assigned) == pytest.approx(split, abs=0.02)


@given(game_ids)
def test_assigned_alias_is_certain_when_the_split_is_at_an_end_or_off(game_id: str) -> None:
    assert assigned_alias(game_id, 0.0) == "Production"
    assert assigned_alias(game_id, 1.0) == "B"
    assert assigned_alias(game_id, 1.0, enabled=False) == "Production"


@given(game_ids, st.floats(0, 1), st.floats(0, 1))
def test_assigned_alias_keeps_b_when_the_split_grows(game_id: str, split: float, other: float) -> None:
    low, high = sorted((split, other))

    assert not (assigned_alias(game_id, low) == "B" and assigned_alias(game_id, high) == "Production")


def test_assigned_alias_stays_as_shipped_when_recomputed_years_later() -> None:
    aliases = "".join(assigned_alias(f"golden-{number}", 0.5)[0] for number in range(16))

    assert aliases == "BBBPPBPBBPBBPPBB"


def test_assigned_alias_is_independent_of_the_points_when_many_games_start() -> None:
    games = [f"game-{number}" for number in range(9_000)]
    for move in MOVES:
        aliases = [assigned_alias(game, 0.5) for game in games if most_valuable(round_points(game, 1)) == move]

        assert len(aliases) > 2_700
        assert aliases.count("B") / len(aliases) == pytest.approx(0.5, abs=0.04)
