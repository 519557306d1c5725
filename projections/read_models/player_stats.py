"""What people have done: rounds, games by opponent, and wins in a row. Scripts, bots and test games are left out.

A player is an opaque id; the ledger knows no names. `leaderboard` and `win_streaks` are read from this state.
"""

from sys import intern

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import GameAbandoned, GameFinished, GameStarted, RoundPlayed
from projections.projection import Projection, on


class Games(Struct, array_like=True, gc=False):
    """Finished games of a player, and the wins in a row among them: the longest run, and the one that goes on."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    streak: int = 0
    current_streak: int = 0
    last_win_us: int | None = None

    @property
    def games(self) -> int:
        """How many they are."""
        return self.wins + self.losses + self.ties

    def add(self, event: GameFinished, recorded_us: int) -> None:
        """Take in one more game. A tie ends a run."""
        match event.winner:
            case "user":
                self.wins += 1
                self.current_streak += 1
                self.streak = max(self.streak, self.current_streak)
                self.last_win_us = recorded_us
            case "bot":
                self.losses += 1
                self.current_streak = 0
            case "tie":
                self.ties += 1
                self.current_streak = 0


class Stats(Struct, array_like=True):
    """One player: rounds by their result, and finished games, all of them and by opponent."""

    rounds_won: int = 0
    rounds_lost: int = 0
    rounds_drawn: int = 0
    games: Games = field(default_factory=Games)
    opponents: dict[str, Games] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How many there were."""
        return self.rounds_won + self.rounds_lost + self.rounds_drawn


class PlayerStats(Struct):
    """By player; and who plays each open game, for its rounds do not say so."""

    players: dict[str, Stats] = field(default_factory=dict)
    playing: dict[str, str] = field(default_factory=dict)

    def of(self, player_id: str) -> Stats:
        """A player's statistics; zeros if they have not played."""
        return self.players.get(player_id) or Stats()


def projection(since_us: int) -> Projection[PlayerStats]:
    """The statistics over rounds and games recorded at `since_us` (microseconds since the epoch, UTC) or later."""

    def game_started(state: PlayerStats, event: GameStarted, _entry: Entry) -> None:
        if event.player_kind == "human" and event.in_metrics:
            # One string for all games of a player, and not one for each event that was decoded.
            state.playing[event.game_id] = intern(event.player_id)

    def round_played(state: PlayerStats, event: RoundPlayed, entry: Entry) -> None:
        player_id = state.playing.get(event.game_id)
        if player_id is None or entry.recorded_us < since_us:
            return
        stats = _stats(state, player_id)
        match event.result:
            case "win":
                stats.rounds_won += 1
            case "lose":
                stats.rounds_lost += 1
            case "draw":
                stats.rounds_drawn += 1

    def game_finished(state: PlayerStats, event: GameFinished, entry: Entry) -> None:
        player_id = state.playing.pop(event.game_id, None)
        if player_id is None or entry.recorded_us < since_us:
            return
        stats = _stats(state, player_id)
        stats.games.add(event, entry.recorded_us)
        stats.opponents.setdefault(event.policy, Games()).add(event, entry.recorded_us)

    def game_abandoned(state: PlayerStats, event: GameAbandoned, _entry: Entry) -> None:
        state.playing.pop(event.game_id, None)

    handlers = (
        on(GameStarted, game_started),
        on(RoundPlayed, round_played),
        on(GameFinished, game_finished),
        on(GameAbandoned, game_abandoned),
    )
    return Projection("player_stats", 1, PlayerStats, handlers, settings=f"since_us={since_us}")


def _stats(state: PlayerStats, player_id: str) -> Stats:
    stats = state.players.get(player_id)
    if stats is None:
        stats = state.players[player_id] = Stats()
    return stats
