"""Who wins most: the players with the highest share of games won, of those with enough games to say so."""

from heapq import nsmallest
from itertools import pairwise
from typing import NamedTuple

from projections.read_models.player_stats import Games, PlayerStats

GAMES_MIN = 5


class Place(NamedTuple):
    """A player's place; players with the same share of wins in as many games have the same rank."""

    rank: int
    player_id: str
    games: Games


def leaderboard(state: PlayerStats, limit: int) -> list[Place]:
    """The first `limit` places, the best first; of equal shares the one of more games comes first."""
    candidates = [
        (player_id, stats.games) for player_id, stats in state.players.items() if stats.games.games >= GAMES_MIN
    ]
    best = nsmallest(limit, candidates, key=lambda one: (*_order(one[1]), one[0]))
    ranks = [1] * bool(best)
    for number, ((_, before), (_, games)) in enumerate(pairwise(best), start=2):
        ranks.append(ranks[-1] if _order(before) == _order(games) else number)
    return [Place(rank, player_id, games) for rank, (player_id, games) in zip(ranks, best, strict=True)]


def _order(games: Games) -> tuple[float, int]:
    return -games.wins / games.games, -games.games
