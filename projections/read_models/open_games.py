"""The games that have started and are neither finished nor abandoned: when they were last touched, and by which
versions they are played.
"""

from msgspec import Struct, field

from ledger.events import Assignment, GameAbandoned, GameFinished, GameStarted, RoundPlayed
from ledger.store import Entry
from ledger.vocabulary import Family, ModelType
from projections.projection import Projection, on


class OpenGame(Struct):
    """When somebody last did something in it (microseconds since the epoch), and whether it counts.

    `assignment` is what its family keeps predicting it with, whatever the aliases name now; None without models.
    """

    last_us: int
    in_metrics: bool = field(name="counted")
    model_type: ModelType = "scripted"
    assignment: Assignment | None = field(default=None, name="lineup")


class OpenGames(Struct):
    """By game id, oldest start first."""

    games: dict[str, OpenGame] = field(default_factory=dict)

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
    state.games[event.game_id] = OpenGame(entry.recorded_us, event.in_metrics, event.model_type, event.assignment)


def _round_played(state: OpenGames, event: RoundPlayed, entry: Entry) -> None:
    state.games[event.game_id].last_us = entry.recorded_us


def _game_ended(state: OpenGames, event: GameFinished | GameAbandoned, _entry: Entry) -> None:
    del state.games[event.game_id]


def projection() -> Projection[OpenGames]:
    """The open games."""
    handlers = (
        on(GameStarted, _game_started),
        on(RoundPlayed, _round_played),
        on(GameFinished, _game_ended),
        on(GameAbandoned, _game_ended),
    )
    return Projection("open_games", 2, OpenGames, handlers)
