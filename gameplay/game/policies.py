"""From what the player will probably do to what the bot does about it."""

from typing import Final

from gameplay.game.rules import BEATEN_BY, BEATS, DRAW_TENTHS, winner, worth
from ledger.events import Points
from ledger.facts import Probabilities
from ledger.vocabulary import MOVES, Move

UNIFORM: Final[Probabilities] = (1 / 3, 1 / 3, 1 / 3)

# As much as the most valuable move can be worth: in the last round the game itself outweighs any points, and
# yet a long shot at the game does not outweigh everything else.
FINISH_BONUS: Final = 2.0

# Two sums of the same products in another order differ by some 1e-16; such moves are equal, and must be on
# every machine.
TIE: Final = 1e-9


def choose(probabilities: Probabilities, points: Points, user_score_tenths: int, bot_score_tenths: int) -> Move:
    """The bot's move with the best expected value.

    Among equals a bot that is ahead takes the move that concedes least when beaten; one that is behind or
    level takes the move worth most.
    """
    values = expected_values(probabilities, points, user_score_tenths, bot_score_tenths)
    floor = max(values.values()) - TIE
    best = [move for move in MOVES if values[move] >= floor]
    if len(best) == 1:
        return best[0]
    if bot_score_tenths > user_score_tenths:
        return min(best, key=lambda move: worth(points, BEATEN_BY[move]))
    return max(best, key=lambda move: worth(points, move))


def expected_values(
    probabilities: Probabilities, points: Points, user_score_tenths: int, bot_score_tenths: int
) -> dict[Move, float]:
    """What each move of the bot gains on average, in points.

    A win counts the move's own points, a loss counts the opponent's points against it, a draw counts nothing
    since both gain alike; an outcome that ends the game adds FINISH_BONUS when the bot wins it, and takes it
    off when the player does. `probabilities` are of the player's rock, paper and scissors.
    """
    chance = dict(zip(MOVES, probabilities, strict=True))
    drawn = _bonus(user_score_tenths + DRAW_TENTHS, bot_score_tenths + DRAW_TENTHS)
    values: dict[Move, float] = {}
    for move in MOVES:
        beaten_by = BEATEN_BY[move]
        gained = worth(points, move)
        conceded = worth(points, beaten_by)
        values[move] = (
            chance[BEATS[move]] * (gained / 10 + _bonus(user_score_tenths, bot_score_tenths + gained))
            + chance[beaten_by] * (_bonus(user_score_tenths + conceded, bot_score_tenths) - conceded / 10)
            + chance[move] * drawn
        )
    return values


def _bonus(user_score_tenths: int, bot_score_tenths: int) -> float:
    match winner(user_score_tenths, bot_score_tenths):
        case "bot":
            return FINISH_BONUS
        case "user":
            return -FINISH_BONUS
        case _:
            return 0.0
