"""What a client is told of a game: all of it from the fold of its stream, so it can be told again."""

import msgspec

from gameplay.game.features import features
from gameplay.game.games import Game
from gameplay.game.policies import UNIFORM, expected_values
from ledger.events import Points, Probabilities, RoundPlayed
from ledger.vocabulary import MOVES, Move, Result, Winner

DIFFICULTY_MODE = "normal"


class MoveValues(msgspec.Struct, frozen=True):
    """A number for each move."""

    rock: float
    paper: float
    scissors: float


class Scores(msgspec.Struct, frozen=True):
    """Rounds won by each side, and draws."""

    player: int
    bot: int
    ties: int


class ModelInfo(msgspec.Struct, frozen=True):
    """Who plays for the bot."""

    model_type: str
    model_alias: str | None
    model_version: int | None
    policy: str
    difficulty_mode: str
    probability_source: str


class AliasChange(msgspec.Struct, frozen=True):
    """The side of the comparison that a game is on."""

    alias: str
    model_key: str
    is_variant: bool


class Debug(msgspec.Struct, frozen=True):
    """What a model saw, or would have seen; no probabilities where none was asked, as in the opening."""

    probabilities: MoveValues | None
    expected_values: MoveValues | None
    features: list[float]
    feature_count: int
    probability_source: str
    round_no: int


class StartAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A game that has begun."""

    game_id: str
    session_id: str
    player_name: str
    policy: str
    bot_policy: str
    difficulty_mode: str
    bot_model_alias: str | None
    model_type: str
    target_score: int
    status: str
    message: str


class PointsAnswer(msgspec.Struct, frozen=True):
    """What the next round is worth, in points."""

    game_id: str
    round_no: int
    round_points: MoveValues


class PlayAnswer(msgspec.Struct, frozen=True):
    """One round. Scores and deltas are in points."""

    game_id: str
    round: int
    user_move: Move
    player_move: Move
    bot_move: Move
    result: Result
    user_delta: float
    bot_delta: float
    user_score: float
    bot_score: float
    round_points: MoveValues
    finished: bool
    winner: Winner | None
    scores: Scores
    policy: str
    difficulty_mode: str
    model_info: ModelInfo
    ab_assignment: AliasChange | None
    debug: Debug
    message: str


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
        round_points=in_points(played.points),
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
        ab_assignment=_assignment(played),
        debug=_debug(game, played),
        message=_message(played, ended.winner if ended else None),
    )


def in_points(points: Points) -> MoveValues:
    """A round's values in points."""
    return MoveValues(points.rock / 10, points.paper / 10, points.scissors / 10)


def _scores(rounds: list[RoundPlayed]) -> Scores:
    results = [played.result for played in rounds]
    return Scores(results.count("win"), results.count("lose"), results.count("draw"))


def _assignment(played: RoundPlayed) -> AliasChange | None:
    if played.alias is None:
        return None
    return AliasChange(played.alias, f"{played.model_type}/{played.alias}", played.alias == "B")


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
