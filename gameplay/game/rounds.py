"""The rounds of a game so far, as bots, features and the game itself see them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from gameplay.game.rules import judge, round_points, score, winner
from ledger.events import Points, RoundPlayed
from ledger.vocabulary import Move, Result

LOOK_BACK: Final = 3
"""How many rounds a model looks back on; it is asked from the round after them on."""


class PastRound(NamedTuple):
    """A round that was played; points and the scores after it are in tenths, `result` is the player's."""

    points: Points
    user_move: Move
    bot_move: Move
    result: Result
    user_score_tenths: int
    bot_score_tenths: int


def past_round(event: RoundPlayed) -> PastRound:
    """The round that an event records."""
    return PastRound(
        event.points,
        event.user_move,
        event.bot_move,
        event.result,
        event.user_score_tenths,
        event.bot_score_tenths,
    )


def past_rounds(moves: Iterable[tuple[Move, Move]], game_id: str) -> list[PastRound]:
    """The rounds of a game rebuilt by the rules from its bare (player, bot) moves, in order from round 1.

    Raises ValueError where moves go on after the end of the game.
    """
    rounds: list[PastRound] = []
    user_score = bot_score = 0
    for round_no, (user_move, bot_move) in enumerate(moves, start=1):
        if winner(user_score, bot_score) is not None:
            raise ValueError(f"game {game_id} ended in round {round_no - 1}, but has a round {round_no}")
        points = round_points(game_id, round_no)
        result = judge(user_move, bot_move)
        user_delta, bot_delta = score(result, user_move, bot_move, points)
        user_score += user_delta
        bot_score += bot_delta
        rounds.append(PastRound(points, user_move, bot_move, result, user_score, bot_score))
    return rounds
