"""The rules of the game: what beats what, what a round is worth, and when a game is over.

Everything that looks random (a round's point values, a game's alias) is a hash of the game id, so that
an auditor can recompute it years later. Scores and points are integers in tenths of a point.
"""

import hashlib
from functools import lru_cache
from typing import Final, assert_never

from ledger.events import Points
from ledger.vocabulary import MOVES, Move, PlayedAlias, Result, Winner

TARGET_TENTHS: Final = 100
DRAW_TENTHS: Final = 5
PLAIN_TENTHS: Final = 10
LEAD_TENTHS: Final = 5
BASES_TENTHS: Final = (11, 12, 13, 14, 15)

BEATS: Final[dict[Move, Move]] = {"rock": "scissors", "paper": "rock", "scissors": "paper"}
BEATEN_BY: Final[dict[Move, Move]] = {loser: winner for winner, loser in BEATS.items()}


def judge(user_move: Move, bot_move: Move) -> Result:
    """The result of a round, as the player sees it."""
    if user_move == bot_move:
        return "draw"
    return "win" if BEATS[user_move] == bot_move else "lose"


@lru_cache(maxsize=4_096)  # a move asks twice, for the features and for the round
def round_points(game_id: str, round_no: int) -> Points:
    """What each move is worth in a round (the first is 1), in tenths; the same for ever."""
    assert round_no >= 1
    # 256 bits modulo 15: the bias is below 2**-250.
    choice, base_index = divmod(_hashed("points", f"{game_id}:{round_no}"), len(BASES_TENTHS))
    plain = MOVES[choice % len(MOVES)]
    base = BASES_TENTHS[base_index]
    worth_of: dict[Move, int] = {
        plain: PLAIN_TENTHS,
        BEATS[plain]: base + LEAD_TENTHS,
        BEATEN_BY[plain]: base,
    }
    return Points(rock=worth_of["rock"], paper=worth_of["paper"], scissors=worth_of["scissors"])


def worth(points: Points, move: Move) -> int:
    """What one move is worth, in tenths."""
    match move:
        case "rock":
            return points.rock
        case "paper":
            return points.paper
        case "scissors":
            return points.scissors
        case _:
            assert_never(move)


def most_valuable(points: Points) -> Move:
    """The move worth most. The values of `round_points` never tie; others would go in the order of MOVES."""
    if points.rock >= points.paper:
        return "rock" if points.rock >= points.scissors else "scissors"
    return "paper" if points.paper >= points.scissors else "scissors"


def score(result: Result, user_move: Move, bot_move: Move, points: Points) -> tuple[int, int]:
    """What a round adds to the player's and to the bot's score, in tenths."""
    match result:
        case "win":
            return worth(points, user_move), 0
        case "lose":
            return 0, worth(points, bot_move)
        case "draw":
            return DRAW_TENTHS, DRAW_TENTHS
        case _:
            assert_never(result)


def winner(user_score_tenths: int, bot_score_tenths: int) -> Winner | None:
    """Who has won at these scores; None while the game goes on."""
    if user_score_tenths < TARGET_TENTHS and bot_score_tenths < TARGET_TENTHS:
        return None
    if user_score_tenths == bot_score_tenths:
        return "tie"
    return "user" if user_score_tenths > bot_score_tenths else "bot"


def assigned_alias(game_id: str, split: float, enabled: bool = True) -> PlayedAlias:
    """The alias that plays a game: `split` is B's share, 0 to 1. Not enabled: always Production."""
    return "B" if enabled and _is_drawn("alias", game_id, split) else "Production"


def is_cross_family(game_id: str, share: float) -> bool:
    """Whether all families predict a game's rounds; `share` of the games, 0 to 1."""
    return _is_drawn("cross-family", game_id, share)


def _is_drawn(use: str, game_id: str, share: float) -> bool:
    assert 0.0 <= share <= 1.0
    # 53 bits are exact in a float and stay below 1.0, so that a share of 1 means every game.
    return (_hashed(use, game_id) >> (256 - 53)) / 2**53 < share


def _hashed(use: str, text: str) -> int:
    # Each use has its own prefix: were both taken from one hash, B would see other point values than
    # Production, and the comparison of the two would be of the games, not of the models.
    return int.from_bytes(hashlib.sha256(f"{use}:{text}".encode()).digest(), "big")
