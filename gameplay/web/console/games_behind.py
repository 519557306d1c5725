"""The games that a decision rests on, newest first, a page at a time."""

from msgspec import Struct

from ledger.entries import Entry
from ledger.events import CycleDecided, GameFinished, wire_name
from ledger.store import Ledger
from ledger.times import show_time
from ledger.vocabulary import PlayerKind, Winner
from projections.read_models.counting import is_evidence

GAMES_A_PAGE = 25
ENTRIES_MAX = 20_000
"""So much is read for one page: a window of a quiet family is long, and full of other families' games."""
_FINISHED = wire_name(GameFinished)


class GameBehind(Struct, frozen=True, kw_only=True):
    """A finished game of the family in the decision's window. `counts`: it is evidence."""

    game_id: str
    position: int
    finished: str
    alias: str | None
    version: int | None
    player_kind: PlayerKind
    winner: Winner
    rounds: int
    counts: bool


class GamesBehind(Struct, frozen=True, kw_only=True):
    """A page of them; `next_before` is the `games_before` of the next page, null at the window's beginning."""

    games: tuple[GameBehind, ...]
    next_before: int | None


def games_behind(ledger: Ledger, decided: CycleDecided, before: int | None) -> GamesBehind:
    """The games finished within the decision's window, before a position."""
    if decided.evidence is None:
        return GamesBehind(games=(), next_before=None)
    after = decided.evidence.after_position
    through = min(decided.evidence.through_position, (before or 2**53) - 1)
    found: list[GameBehind] = []
    last = through + 1
    for entry in ledger.read(after, through=through, descending=True, limit=ENTRIES_MAX):
        last = entry.position
        if entry.type == _FINISHED and (game := _game(ledger, entry, decided)):
            found.append(game)
            if len(found) == GAMES_A_PAGE:
                break
    return GamesBehind(games=tuple(found), next_before=last if last > after + 1 else None)


def _game(ledger: Ledger, entry: Entry, decided: CycleDecided) -> GameBehind | None:
    event = ledger.decode(entry)
    assert isinstance(event, GameFinished)
    if event.model_type != decided.model_type:
        return None
    return GameBehind(
        game_id=event.game_id,
        position=entry.position,
        finished=show_time(entry.recorded_us),
        alias=event.alias,
        version=event.model_version,
        player_kind=event.player_kind,
        winner=event.winner,
        rounds=event.rounds,
        counts=is_evidence(event),
    )
