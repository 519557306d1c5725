"""What the service answers about a game; shapes alone, so that a client needs nothing else to read them."""

import msgspec

from ledger.vocabulary import Move, Result, Winner


class MoveValues(msgspec.Struct, frozen=True):
    """A number for each move: points, probabilities or expected values."""

    rock: float
    paper: float
    scissors: float


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


class GameArm(msgspec.Struct, frozen=True):
    """The arm of the A/B comparison that a game is in."""

    alias: str
    model_key: str
    is_variant: bool


class Debug(msgspec.Struct, frozen=True):
    """What a model saw, or would have seen; without probabilities where no model was asked, as in the opening."""

    probabilities: MoveValues | None
    expected_values: MoveValues | None
    features: list[float]
    feature_count: int
    probability_source: str
    round_no: int


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
    ab_assignment: GameArm | None
    debug: Debug
    message: str
