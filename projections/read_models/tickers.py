"""Games and cycles of each family since its last Production/B swap: the games that are evidence in this window."""

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import AliasesAssigned, CycleDecided, GameFinished, GameStarted
from ledger.evidence import Tally
from ledger.vocabulary import FAMILIES, PLAYED_ALIASES
from projections.projection import Projection, on
from projections.read_models.counting import (
    NO_GAMES,
    TalliesByKind,
    count_by_kind,
    intended_share,
    is_assigned_since,
    is_evidence_since,
    no_tallies,
    one_more,
)


class Window(Struct):
    """The time since a family's last swap; `since_position` is that swap's own position, 0 before any."""

    swap_count: int = 0
    since_position: int = 0
    last_swap_us: int | None = None
    cycles: int = 0
    scores: dict[str, Tally] = field(default_factory=lambda: dict.fromkeys(PLAYED_ALIASES, NO_GAMES))
    kinds: TalliesByKind = field(default_factory=no_tallies)
    """The same games by the kind of their player."""
    versions: dict[str, list[int]] = field(default_factory=lambda: {alias: [] for alias in PLAYED_ALIASES})
    """The versions that played them, in order."""
    fallbacks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PLAYED_ALIASES, 0))
    """Finished games that are no evidence, because a fallback chose a move."""
    splits: dict[float, dict[str, int]] = field(default_factory=dict)
    """B's intended share -> games assigned to each alias."""

    def count(self, event: GameFinished) -> None:
        """Take in a finished game that is evidence."""
        assert event.alias is not None
        self.scores[event.alias] = one_more(self.scores[event.alias], event)
        count_by_kind(self.kinds, event)
        versions = self.versions[event.alias]
        if event.model_version is not None and event.model_version not in versions:
            self.versions[event.alias] = sorted([*versions, event.model_version])


class Tickers(Struct):
    """The window of each family."""

    windows: dict[str, Window] = field(default_factory=lambda: {family: Window() for family in FAMILIES})


def _game_started(state: Tickers, event: GameStarted, _entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is None or event.alias is None or not is_assigned_since(event, window.swap_count):
        return
    split = window.splits.setdefault(intended_share(event), dict.fromkeys(PLAYED_ALIASES, 0))
    split[event.alias] += 1


def _game_finished(state: Tickers, event: GameFinished, _entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is None or event.alias is None:
        return
    if is_evidence_since(event, window.swap_count):
        window.count(event)
    elif event.in_metrics and event.fallback_affected and event.swap_count == window.swap_count:
        window.fallbacks[event.alias] += 1


def _cycle_decided(state: Tickers, event: CycleDecided, _entry: Entry) -> None:
    state.windows[event.model_type].cycles += 1


def _aliases_assigned(state: Tickers, event: AliasesAssigned, entry: Entry) -> None:
    if event.swapped:
        swap_count = state.windows[event.model_type].swap_count + 1
        state.windows[event.model_type] = Window(
            swap_count=swap_count, since_position=entry.position, last_swap_us=entry.recorded_us
        )


def projection() -> Projection[Tickers]:
    """The tickers."""
    handlers = (
        on(GameStarted, _game_started),
        on(GameFinished, _game_finished),
        on(CycleDecided, _cycle_decided),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("tickers", 3, Tickers, handlers)
