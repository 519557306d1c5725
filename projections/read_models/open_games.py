"""The games that have started and are neither finished nor abandoned: where the ledger was when they were touched
last, who plays them, and by which versions they are played.

Many games may be open, so one of them holds only what is its own; what games share is held once.
"""

from sys import intern

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import Assignment, GameAbandoned, GameFinished, GameStarted, RoundPlayed
from ledger.vocabulary import Family, ModelType
from projections.projection import Projection, on


class OpenGame(Struct, gc=False):
    """The position of its last event but for predictions, its player, and its kind.

    A position says how long ago that was where a time may not: the clock can have been wrong.
    """

    last_position: int
    player_id: str
    kind: int


class GameKind(Struct):
    """What games have in common, and how many of them are open.

    `assignment` is what their family keeps predicting them with, whatever the aliases name; None without models.
    """

    in_metrics: bool = field(name="counted")
    model_type: ModelType
    assignment: Assignment | None = field(name="lineup")
    games: int = 0

    def is_of(self, event: GameStarted) -> bool:
        """Whether a game is of this kind."""
        mine = self.in_metrics, self.model_type, self.assignment
        return mine == (event.in_metrics, event.model_type, event.assignment)


class OpenGames(Struct):
    """By game id, oldest start first; how many games each player has; and the kinds of which some game is open."""

    games: dict[str, OpenGame] = field(default_factory=dict)
    players: dict[str, int] = field(default_factory=dict)
    kinds: dict[int, GameKind] = field(default_factory=dict)

    def active(self) -> int:
        """How many of them are no test games."""
        return sum(kind.games for kind in self.kinds.values() if kind.in_metrics)

    def versions(self, family: Family) -> set[int]:
        """The versions of a family that some open game is played with."""
        found: set[int] = set()
        for kind in self.kinds.values():
            if kind.model_type == family and (assignment := kind.assignment) is not None:
                found.update((assignment.Production, assignment.B, assignment.shadow1, assignment.shadow2))
        return found


def _game_started(state: OpenGames, event: GameStarted, entry: Entry) -> None:
    if event.game_id in state.games:  # as no service starts it, but an edited log may
        _close(state, event.game_id)
    # One string for all games of a player, and not one for each event that was decoded.
    player_id = intern(event.player_id)
    number = _number(state, event)
    state.kinds[number].games += 1
    state.games[event.game_id] = OpenGame(entry.position, player_id, number)
    state.players[player_id] = state.players.get(player_id, 0) + 1


def _number(state: OpenGames, event: GameStarted) -> int:
    """The number of the game's kind, which is new when no open game is of it."""
    for number, kind in state.kinds.items():
        if kind.is_of(event):
            return number
    number = max(state.kinds, default=0) + 1
    state.kinds[number] = GameKind(event.in_metrics, event.model_type, event.assignment)
    return number


def _round_played(state: OpenGames, event: RoundPlayed, entry: Entry) -> None:
    state.games[event.game_id].last_position = entry.position


def _game_ended(state: OpenGames, event: GameFinished | GameAbandoned, _entry: Entry) -> None:
    _close(state, event.game_id)


def _close(state: OpenGames, game_id: str) -> None:
    game = state.games.pop(game_id)
    state.players[game.player_id] -= 1
    if not state.players[game.player_id]:
        del state.players[game.player_id]
    kind = state.kinds[game.kind]
    kind.games -= 1
    if not kind.games:
        del state.kinds[game.kind]


def projection() -> Projection[OpenGames]:
    """The open games."""
    handlers = (
        on(GameStarted, _game_started),
        on(RoundPlayed, _round_played),
        on(GameFinished, _game_ended),
        on(GameAbandoned, _game_ended),
    )
    return Projection("open_games", 4, OpenGames, handlers)
