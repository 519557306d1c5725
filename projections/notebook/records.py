"""The rows of the tables, and where each column stands in an event."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.events import GameAbandoned, GameFinished, GameStarted, PredictionMade, RoundPlayed
from ledger.vocabulary import (
    Alias,
    Decision,
    Difficulty,
    Family,
    ModelType,
    Move,
    Opponent,
    PlayedAlias,
    PlayerKind,
    ProbabilitySource,
    ReasonCode,
    Result,
    Trigger,
    Winner,
)


class Round(NamedTuple):
    """One round of a game; points and scores are in tenths of a point."""

    position: int
    time: datetime
    game_id: str
    round: int
    user_move: Move
    bot_move: Move
    result: Result
    points_rock_tenths: int
    points_paper_tenths: int
    points_scissors_tenths: int
    user_delta_tenths: int
    bot_delta_tenths: int
    user_score_tenths: int
    bot_score_tenths: int
    policy: Opponent
    difficulty: Difficulty
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: int | None
    probability_source: ProbabilitySource
    in_metrics: bool


class Prediction(NamedTuple):
    """What one alias expected the player to do in one round; `served` marks the one that chose the bot's move."""

    position: int
    time: datetime
    game_id: str
    round: int
    model_type: Family
    alias: Alias
    model_version: int
    probability_rock: float
    probability_paper: float
    probability_scissors: float
    predicted: Move
    actual: Move
    correct: bool
    served: bool
    in_metrics: bool


class Game(NamedTuple):
    """One game, from its start to its end if it has one; scores are in tenths of a point."""

    game_id: str
    position: int
    started: datetime
    ended: datetime | None
    end_position: int | None
    outcome: str
    """`finished`, `abandoned` or `open`."""
    player_kind: PlayerKind
    player_id: str
    policy: Opponent
    difficulty: Difficulty
    model_type: ModelType
    alias: PlayedAlias | None
    model_version: int | None
    swap_count: int
    assignment_probability: float
    opening: str | None
    winner: Winner | None
    user_score_tenths: int | None
    bot_score_tenths: int | None
    rounds: int | None
    fallback_affected: bool | None
    in_metrics: bool


class Cycle(NamedTuple):
    """One promotion cycle: what was compared, by which rule, with which decision."""

    position: int
    time: datetime
    model_type: Family
    cycle: int
    trigger: Trigger
    source: str
    rule: str | None
    alpha: float | None
    production_version: int | None
    production_wins: int | None
    production_games: int | None
    b_version: int | None
    b_wins: int | None
    b_games: int | None
    z_statistic: float | None
    p_value: float | None
    decision: Decision
    reason_code: ReasonCode
    reason: str
    reordered: bool


class AliasVersion(NamedTuple):
    """The version behind one alias at one position."""

    position: int
    model_type: Family
    alias: Alias
    model_version: int
    swap_count: int


Path = Sequence[str | int]
"""From an event to a value: names of fields, and places in a tuple."""

ROUND: Mapping[str, Path] = {
    **{f"points_{move}_tenths": ("points", move) for move in ("rock", "paper", "scissors")},
    **{name: (name,) for name in Round._fields if name in RoundPlayed.__struct_fields__},
}
PREDICTION: Mapping[str, Path] = {
    **{f"probability_{move}": ("probabilities", at) for at, move in enumerate(("rock", "paper", "scissors"))},
    **{name: (name,) for name in Prediction._fields if name in PredictionMade.__struct_fields__},
}
STARTED: Mapping[str, Path] = {name: (name,) for name in Game._fields if name in GameStarted.__struct_fields__}
ENDED: Mapping[str, Path] = {
    name: (name,)
    for name in ("game_id", "winner", "user_score_tenths", "bot_score_tenths", "rounds", "fallback_affected")
    if name in (*GameFinished.__struct_fields__, *GameAbandoned.__struct_fields__)
}


def value_at(event: Any, path: Path) -> Any:
    """What an event has at a path; None where it has no such field."""
    for step in path:
        event = event[step] if isinstance(step, int) else getattr(event, step, None)
    return event
