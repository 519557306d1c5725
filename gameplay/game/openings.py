"""What the bot plays in rounds 1 to 3, before a model has a history to look back on."""

import random
from typing import Final, NamedTuple

from ledger.vocabulary import Move


class Opening(NamedTuple):
    """A named pattern of three moves; the weight is relative to those of the other openings."""

    name: str
    moves: tuple[Move, Move, Move]
    weight: int


# Three patterns, each with its two rotations at equal weight, so that every move is as likely as any other in
# each of the three rounds; the tenth alone leans to rock, by four in a hundred. A player who knows this table
# gains next to nothing in round 1, and in rounds 2 and 3 only what the earlier moves give away.
OPENINGS: Final[dict[str, Opening]] = {
    opening.name: opening
    for opening in (
        Opening("staircase", ("rock", "paper", "scissors"), 12),
        Opening("carousel", ("paper", "scissors", "rock"), 12),
        Opening("windmill", ("scissors", "rock", "paper"), 12),
        Opening("knock_knock", ("rock", "rock", "paper"), 11),
        Opening("double_entry", ("paper", "paper", "scissors"), 11),
        Opening("two_snips", ("scissors", "scissors", "rock"), 11),
        Opening("anvil", ("rock", "scissors", "scissors"), 9),
        Opening("wrapper", ("paper", "rock", "rock"), 9),
        Opening("envelope", ("scissors", "paper", "paper"), 9),
        Opening("bedrock", ("rock", "rock", "rock"), 4),
    )
}


def draw_opening(rng: random.Random) -> Opening:
    """One opening, by weight. The game id must not tell which: the player knows it."""
    openings = list(OPENINGS.values())
    return rng.choices(openings, weights=[opening.weight for opening in openings])[0]
