"""Games and cycles of each family since its last Production/B swap.

Only a game that started in this window counts: one begun before a swap and finished after it was played by the
other model. Test games and games in which a fallback chose a move are no evidence.
"""

from msgspec import Struct, field

from ledger.events import AliasesAssigned, CycleDecided, GameFinished
from ledger.store import Entry
from ledger.vocabulary import FAMILIES, PLAYED_ALIASES
from projections.projection import Projection, on


class Score(Struct):
    """Finished games and how many of them the bot won."""

    games: int = 0
    wins: int = 0


class Window(Struct):
    """The time since a family's last swap; `since_position` is that swap's own position, 0 before any."""

    swap_count: int = 0
    since_position: int = 0
    last_swap_us: int | None = None
    cycles: int = 0
    scores: dict[str, Score] = field(default_factory=lambda: {alias: Score() for alias in PLAYED_ALIASES})


class Tickers(Struct):
    """The window of each family."""

    windows: dict[str, Window] = field(default_factory=lambda: {family: Window() for family in FAMILIES})


def is_evidence(event: GameFinished, swap_count: int) -> bool:
    """Whether a finished game counts in the window that the family's `swap_count`th swap opened."""
    return event.in_metrics and not event.fallback_affected and event.swap_count == swap_count


def _game_finished(state: Tickers, event: GameFinished, _entry: Entry) -> None:
    window = state.windows.get(event.model_type)
    if window is not None and event.alias is not None and is_evidence(event, window.swap_count):
        score = window.scores[event.alias]
        score.games += 1
        score.wins += event.winner == "bot"


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
        on(GameFinished, _game_finished),
        on(CycleDecided, _cycle_decided),
        on(AliasesAssigned, _aliases_assigned),
    )
    return Projection("tickers", 1, Tickers, handlers)
