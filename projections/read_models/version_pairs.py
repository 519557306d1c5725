"""What the two versions behind Production and B have played since both are there: the window of the version pair.

An alias's window runs from swap to swap, whatever else moves: a training or a reorder puts another version behind
the alias, and its games go on being counted with those of the version before. This window begins whenever either
of the two changes, whatever the cause, so that all its games were played by the same two versions.
"""

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import AliasesAssigned, GameAbandoned, GameFinished, GameStarted
from ledger.vocabulary import FAMILIES
from projections.projection import Projection, on
from projections.read_models.counting import (
    Pair,
    TalliesByKind,
    count_by_kind,
    is_assigned_to_pair,
    is_evidence,
    no_tallies,
    pair_after,
)


class PairWindow(Struct):
    """One family; `since_position` is where the pair was assigned, 0 before any."""

    since_position: int = 0
    swap_count: int = 0
    pair: Pair | None = None
    kinds: TalliesByKind = field(default_factory=no_tallies)
    playing: dict[str, None] = field(default_factory=dict)
    """The ids of its games that are open. A dictionary, since a set has no order to be compared by."""

    def counted(self) -> "PairWindow":
        """A copy without the games that are still open: there may be many, and no decision looks at them."""
        kinds = {alias: dict(tallies) for alias, tallies in self.kinds.items()}
        return PairWindow(self.since_position, self.swap_count, self.pair, kinds)

    def start(self, event: GameStarted) -> None:
        """Take in a game, if it began with this pair."""
        if event.alias is not None and is_assigned_to_pair(event, self.swap_count, self.pair):
            self.playing[event.game_id] = None

    def finish(self, event: GameFinished) -> None:
        """Count a game that began in this window and is evidence."""
        if event.game_id in self.playing:
            del self.playing[event.game_id]
            if event.alias is not None and is_evidence(event):
                count_by_kind(self.kinds, event)


class VersionPairs(Struct):
    """The window of each family."""

    windows: dict[str, PairWindow] = field(default_factory=lambda: {family: PairWindow() for family in FAMILIES})


def _game_started(state: VersionPairs, event: GameStarted, _entry: Entry) -> None:
    if (window := state.windows.get(event.model_type)) is not None:
        window.start(event)


def _game_finished(state: VersionPairs, event: GameFinished, _entry: Entry) -> None:
    if (window := state.windows.get(event.model_type)) is not None:
        window.finish(event)


def _game_abandoned(state: VersionPairs, event: GameAbandoned, _entry: Entry) -> None:
    if (window := state.windows.get(event.model_type)) is not None:
        window.playing.pop(event.game_id, None)


def _aliases_assigned(state: VersionPairs, event: AliasesAssigned, entry: Entry) -> None:
    window, pair = state.windows[event.model_type], pair_after(event)
    if event.swapped or pair != window.pair:
        swap_count = window.swap_count + event.swapped
        state.windows[event.model_type] = PairWindow(entry.position, swap_count, pair)


def projection() -> Projection[VersionPairs]:
    """The windows of the version pairs."""
    handlers = (
        on(GameStarted, _game_started),
        on(GameFinished, _game_finished),
        on(GameAbandoned, _game_abandoned),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("version_pairs", 1, VersionPairs, handlers)
