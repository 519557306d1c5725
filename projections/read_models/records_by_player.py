"""What each version has shown since the last swap against whom: each scripted player, people, and other scripts.

The same games and predictions as in `standings`, one level deeper. A prediction does not say who played, so the
games that go on are kept with their players.
"""

from typing import Final

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import AliasesAssigned, GameAbandoned, GameFinished, GameStarted, PredictionMade
from ledger.vocabulary import BOTS, FAMILIES, PlayerKind
from projections.projection import Projection, on
from projections.read_models.counting import is_evidence_since

PEOPLE: Final[PlayerKind] = "human"
SCRIPTS: Final[PlayerKind] = "script"
PLAYERS: Final = (PEOPLE, *BOTS, SCRIPTS)
"""Everyone who can be told apart: a scripted player by its name, all others by their kind."""


class Shown(Struct, gc=False):
    """Games that a version played against a player, and its predictions of that player's moves."""

    games: int = 0
    wins: int = 0
    predictions: int = 0
    correct: int = 0


class SinceSwap(Struct):
    """One family since its last swap: version -> player -> what it has shown."""

    swap_count: int = 0
    versions: dict[int, dict[str, Shown]] = field(default_factory=dict)

    def shown(self, version: int, player: str) -> Shown:
        """Where to count what a version shows against a player."""
        players = self.versions.get(version)
        if players is None:
            players = self.versions[version] = {}
        shown = players.get(player)
        if shown is None:
            shown = players[player] = Shown()
        return shown


class Seat(Struct, array_like=True, gc=False):
    """Who plays an open game, and against which family."""

    model_type: str
    player: str


class RecordsByPlayer(Struct):
    """Every family, and the open games."""

    families: dict[str, SinceSwap] = field(default_factory=lambda: {family: SinceSwap() for family in FAMILIES})
    playing: dict[str, Seat] = field(default_factory=dict)


def _game_started(state: RecordsByPlayer, event: GameStarted, _entry: Entry) -> None:
    if event.in_metrics and event.model_type in state.families:
        player = event.player_id if event.player_kind == "bot" else event.player_kind
        state.playing[event.game_id] = Seat(event.model_type, player)


def _prediction_made(state: RecordsByPlayer, event: PredictionMade, _entry: Entry) -> None:
    # Two events of three are predictions. The games that are known are in the metrics; what another family
    # predicts beside one does not count, as in `ranks_challengers`.
    seat = state.playing.get(event.game_id)
    if seat is None or seat.model_type != event.model_type:
        return
    since = state.families[seat.model_type]
    try:
        shown = since.versions[event.model_version][seat.player]
    except KeyError:
        shown = since.shown(event.model_version, seat.player)
    shown.predictions += 1
    if event.correct:
        shown.correct += 1


def _game_finished(state: RecordsByPlayer, event: GameFinished, _entry: Entry) -> None:
    seat = state.playing.pop(event.game_id, None)
    if seat is None or event.model_version is None:
        return
    since = state.families[seat.model_type]
    if is_evidence_since(event, since.swap_count):
        shown = since.shown(event.model_version, seat.player)
        shown.games += 1
        shown.wins += event.winner == "bot"


def _game_abandoned(state: RecordsByPlayer, event: GameAbandoned, _entry: Entry) -> None:
    state.playing.pop(event.game_id, None)


def _aliases_assigned(state: RecordsByPlayer, event: AliasesAssigned, _entry: Entry) -> None:
    if event.swapped:
        since = state.families[event.model_type]
        state.families[event.model_type] = SinceSwap(swap_count=since.swap_count + 1)


def projection() -> Projection[RecordsByPlayer]:
    """The records by player."""
    handlers = (
        on(GameStarted, _game_started),
        on(PredictionMade, _prediction_made),
        on(GameFinished, _game_finished),
        on(GameAbandoned, _game_abandoned),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("records_by_player", 1, RecordsByPlayer, handlers)
