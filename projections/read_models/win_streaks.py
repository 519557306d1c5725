"""The longest runs of games won in a row, against anyone or against one opponent."""

from heapq import nsmallest
from typing import NamedTuple

from projections.read_models.player_stats import Games, PlayerStats


class Streak(NamedTuple):
    """A player with at least one win."""

    player_id: str
    games: Games


def win_streaks(state: PlayerStats, limit: int, *, opponent: str | None = None) -> list[Streak]:
    """The first `limit` of them, the longest run first; of equal ones the run that goes on, then the older win."""
    games = (
        Streak(player_id, found)
        for player_id, stats in state.players.items()
        if (found := stats.games if opponent is None else stats.opponents.get(opponent)) and found.streak
    )
    return nsmallest(limit, games, key=_order)


def _order(streak: Streak) -> tuple[int, int, int, str]:
    games = streak.games
    return -games.streak, -games.current_streak, games.last_win_us or 0, streak.player_id
