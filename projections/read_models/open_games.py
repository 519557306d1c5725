"""The games that have started and are neither finished nor abandoned: where the ledger was when they were touched
last, who plays them, and by which versions they are played.
"""

from msgspec import Struct, field

from ledger.events import Assignment, GameAbandoned, GameFinished, GameStarted, RoundPlayed
from ledger.store import Entry
from ledger.vocabulary import Family, ModelType
from projections.projection import Projection, on


class OpenGame(Struct):
    """The position of its last event but for predictions, its player, and whether it counts.

    A position says how long ago that was where a time may not: the clock can have been wrong. `assignment` is what
    its family keeps predicting it with, whatever the aliases name now; None without models.
    """

    last_position: int
    player_id: str
    in_metrics: bool = field(name="counted")
    model_type: ModelType = "scripted"
    assignment: Assignment | None = field(default=None, name="lineup")


class OpenGames(Struct):
    """By game id, oldest start first; and how many games each player has."""

    games: dict[str, OpenGame] = field(default_factory=dict)
    players: dict[str, int] = field(default_factory=dict)

    def active(self) -> int:
        """How many of them are no test games."""
        return sum(game.in_metrics for game in self.games.values())

    def versions(self, family: Family) -> set[int]:
        """The versions of a family that some open game is played with."""
        found: set[int] = set()
        for game in self.games.values():
            if game.model_type == family and (assignment := game.assignment) is not None:
                found.update((assignment.Production, assignment.B, assignment.shadow1, assignment.shadow2))
        return found


def _game_started(state: OpenGames, event: GameStarted, entry: Entry) -> None:
    state.games[event.game_id] = OpenGame(
        entry.position, event.player_id, event.in_metrics, event.model_type, event.assignment
    )
    state.players[event.player_id] = state.players.get(event.player_id, 0) + 1


def _round_played(state: OpenGames, event: RoundPlayed, entry: Entry) -> None:
    state.games[event.game_id].last_position = entry.position


def _game_ended(state: OpenGames, event: GameFinished | GameAbandoned, _entry: Entry) -> None:
    player_id = state.games.pop(event.game_id).player_id
    if (remaining := state.players[player_id] - 1) > 0:
        state.players[player_id] = remaining
    else:
        del state.players[player_id]


def projection() -> Projection[OpenGames]:
    """The open games."""
    handlers = (
        on(GameStarted, _game_started),
        on(RoundPlayed, _round_played),
        on(GameFinished, _game_ended),
        on(GameAbandoned, _game_ended),
    )
    return Projection("open_games", 3, OpenGames, handlers)
