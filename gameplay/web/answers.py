"""Answers about a game, made from the fold of its stream alone: a retry or another process gives the same ones."""

from gameplay.game.answers import (
    Debug,
    GameArm,
    ModelInfo,
    MoveValues,
    PlayAnswer,
    PointsAnswer,
    Scores,
    StartAnswer,
)
from gameplay.game.features import features
from gameplay.game.games import Game
from gameplay.game.policies import UNIFORM, expected_values
from gameplay.game.rules import TARGET_TENTHS, round_points
from ledger.events import Points, RoundPlayed
from ledger.facts import Probabilities
from ledger.vocabulary import MOVES, Winner

DIFFICULTY_MODE = "normal"
TARGET_POINTS = TARGET_TENTHS // 10


def start_answer(game: Game, *, session_id: str, player_name: str, eased: bool) -> StartAnswer:
    """The answer to a start; `eased`: the caller asked for the retired easy mode."""
    started = game.started
    coerced = " Easy mode is retired: coerced to normal." if eased else ""
    return StartAnswer(
        game_id=started.game_id,
        session_id=session_id,
        player_name=player_name,
        policy=started.policy,
        bot_policy=started.policy,
        difficulty_mode=DIFFICULTY_MODE,
        bot_model_alias=started.alias,
        model_type=started.model_type,
        target_score=TARGET_POINTS,
        status="active",
        message=f"First to {TARGET_POINTS} points against {started.policy}.{coerced}",
    )


def points_answer(game: Game) -> PointsAnswer:
    game_id, round_no = game.started.game_id, game.next_round
    return PointsAnswer(game_id, round_no, _in_points(round_points(game_id, round_no)))


def play_answer(game: Game, round_no: int) -> PlayAnswer:
    """The answer to the round that was played, however long ago."""
    played = game.rounds[round_no - 1]
    ended = game.finished if game.finished and game.finished.rounds == round_no else None
    return PlayAnswer(
        game_id=played.game_id,
        round=round_no,
        user_move=played.user_move,
        player_move=played.user_move,
        bot_move=played.bot_move,
        result=played.result,
        user_delta=played.user_delta_tenths / 10,
        bot_delta=played.bot_delta_tenths / 10,
        user_score=played.user_score_tenths / 10,
        bot_score=played.bot_score_tenths / 10,
        round_points=_in_points(played.points),
        finished=ended is not None,
        winner=ended.winner if ended else None,
        scores=_scores(game.rounds[:round_no]),
        policy=played.policy,
        difficulty_mode=DIFFICULTY_MODE,
        model_info=ModelInfo(
            played.model_type,
            played.alias,
            played.model_version,
            played.policy,
            DIFFICULTY_MODE,
            played.probability_source,
        ),
        ab_assignment=_arm(played),
        debug=_debug(game, played),
        message=_message(played, ended.winner if ended else None),
    )


def _in_points(points: Points) -> MoveValues:
    return MoveValues(points.rock / 10, points.paper / 10, points.scissors / 10)


def _scores(rounds: list[RoundPlayed]) -> Scores:
    results = [played.result for played in rounds]
    return Scores(results.count("win"), results.count("lose"), results.count("draw"))


def _arm(played: RoundPlayed) -> GameArm | None:
    if played.alias is None:
        return None
    return GameArm(played.alias, f"{played.model_type}/{played.alias}", played.alias == "B")


def _debug(game: Game, played: RoundPlayed) -> Debug:
    source = played.probability_source
    past = game.past[: played.round - 1]
    row: list[float] = features(past, played.points).tolist()
    if source not in ("model", "uniform"):
        return Debug(None, None, row, len(row), source, played.round)
    probabilities: Probabilities = game.served.get(played.round, UNIFORM)
    scores = (past[-1].user_score_tenths, past[-1].bot_score_tenths)
    values = expected_values(probabilities, played.points, *scores)
    return Debug(
        MoveValues(*probabilities),
        MoveValues(*(values[move] for move in MOVES)),
        row,
        len(row),
        source,
        played.round,
    )


def _message(played: RoundPlayed, winner: Winner | None) -> str:
    said = {"win": "You win the round", "lose": "The bot wins the round", "draw": "A draw"}[played.result]
    ends = {"user": " and the game", "bot": " and the game", "tie": "; the game is tied", None: ""}[winner]
    if (winner == "user" and played.result != "win") or (winner == "bot" and played.result != "lose"):
        ends = "; the game is " + ("yours" if winner == "user" else "the bot's")
    return f"{said}{ends}."
