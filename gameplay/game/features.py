"""What a model sees: 50 numbers about the rounds played and the round to come.

Training and serving call the same function, so that a model never meets a feature that was computed another
way than those it learned from.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from gameplay.game.rounds import LOOK_BACK, PastRound
from gameplay.game.rules import BEATEN_BY, TARGET_TENTHS, most_valuable
from ledger.events import Points
from ledger.vocabulary import MOVES, Move, Result

_LAGS: Final = range(1, LOOK_BACK + 1)
_RESULTS: Final[tuple[Result, ...]] = ("win", "lose", "draw")

FEATURE_NAMES: Final[tuple[str, ...]] = (
    *(f"player_lag{lag}_{move}" for lag in _LAGS for move in MOVES),
    *(f"bot_lag{lag}_{move}" for lag in _LAGS for move in MOVES),
    *(f"result_lag{lag}_{result}" for lag in _LAGS for result in _RESULTS),
    *(f"points_{move}" for move in MOVES),
    *(f"points_lag{lag}_{move}" for lag in _LAGS for move in MOVES),
    *(f"player_share_{move}" for move in MOVES),
    "player_share_most_valuable",
    "player_share_beats_most_valuable",
    "player_share_third",
    "score_difference",
    "player_points_to_win",
    "bot_points_to_win",
    "round_number",
    "easy_mode",
)

_NOTHING: Final = (0.0, 0.0, 0.0)
_MOVE_ONE_HOT: Final[dict[Move, tuple[float, float, float]]] = {
    "rock": (1.0, 0.0, 0.0),
    "paper": (0.0, 1.0, 0.0),
    "scissors": (0.0, 0.0, 1.0),
}
_RESULT_ONE_HOT: Final[dict[Result, tuple[float, float, float]]] = {
    "win": (1.0, 0.0, 0.0),
    "lose": (0.0, 1.0, 0.0),
    "draw": (0.0, 0.0, 1.0),
}


def features(past: Sequence[PastRound], points: Points) -> npt.NDArray[np.float32]:
    """The features of the round after `past`, shape (50,), in the order of FEATURE_NAMES.

    `past` holds every round of the game so far, in order; `points` are those of the round to come. Values are in
    points, not tenths; shares are over all of `past`; lag 1 is the round just played. Models are asked from the
    round on that has LOOK_BACK rounds before it; earlier, what has not been played is all zeros.
    """
    lags = [past[-lag] if lag <= len(past) else None for lag in _LAGS]
    # One list, converted once: writing into an array element by element costs several times as much.
    values: list[float] = []
    for lag in lags:
        values += _MOVE_ONE_HOT[lag.user_move] if lag else _NOTHING
    for lag in lags:
        values += _MOVE_ONE_HOT[lag.bot_move] if lag else _NOTHING
    for lag in lags:
        values += _RESULT_ONE_HOT[lag.result] if lag else _NOTHING
    values += _in_points(points)
    for lag in lags:
        values += _in_points(lag.points) if lag else _NOTHING
    values += _tendencies(past) if past else _NOTHING + _NOTHING
    user_score, bot_score = (past[-1].user_score_tenths, past[-1].bot_score_tenths) if past else (0, 0)
    values += (
        (user_score - bot_score) / 10,
        (TARGET_TENTHS - user_score) / 10,
        (TARGET_TENTHS - bot_score) / 10,
        len(past) + 1.0,
        0.0,  # Easy mode is retired; its place stays, so that no model's input moves.
    )
    return np.array(values, dtype=np.float32)


def _in_points(points: Points) -> tuple[float, float, float]:
    return points.rock / 10, points.paper / 10, points.scissors / 10


def _tendencies(past: Sequence[PastRound]) -> tuple[float, float, float, float, float, float]:
    # The player's shares of rock, paper and scissors; then of the most valuable move, the one that beats it
    # and the third. A round's values never tie by construction, so the most valuable move is always one.
    rock = paper = top = beater = 0
    for played in past:
        move = played.user_move
        if move == "rock":
            rock += 1
        elif move == "paper":
            paper += 1
        best = most_valuable(played.points)
        if move == best:
            top += 1
        elif move == BEATEN_BY[best]:
            beater += 1
    rounds = len(past)
    return (
        rock / rounds,
        paper / rounds,
        (rounds - rock - paper) / rounds,
        top / rounds,
        beater / rounds,
        (rounds - top - beater) / rounds,
    )
