"""What a game or a prediction counts for, in one place. The audit's recount has its own answer, on purpose."""

from typing import Final

from ledger.entries import Entry
from ledger.events import AliasesAssigned, Assignment, GameFinished, GameStarted, PredictionMade
from ledger.evidence import Tally
from ledger.streams import is_shadow
from ledger.vocabulary import PLAYED_ALIASES

NO_GAMES: Final = Tally(games=0, wins=0)

Pair = tuple[int, int]
"""The versions behind Production and B."""

TalliesByKind = dict[str, dict[str, Tally]]
"""Alias -> kind of player -> finished games."""


def is_evidence(event: GameFinished) -> bool:
    """Whether a finished game says anything of the version that played it, in whatever window."""
    return event.in_metrics and not event.fallback_affected


def is_evidence_since(event: GameFinished, swap_count: int) -> bool:
    """Whether it counts in the window that the family's `swap_count`th swap opened.

    A game that began before a swap and ended after it was played by the other model.
    """
    return is_evidence(event) and event.swap_count == swap_count


def is_assigned_since(event: GameStarted, swap_count: int) -> bool:
    """Whether a game was given to an alias in the window that the family's `swap_count`th swap opened."""
    return event.in_metrics and event.swap_count == swap_count


def intended_share(event: GameStarted) -> float:
    """B's share of the games when this one was assigned; nine digits, so that a share and its complement agree."""
    share = event.assignment_probability
    return round(share if event.alias == "B" else 1 - share, 9)


def ranks_challengers(event: PredictionMade, entry: Entry) -> bool:
    """Whether a prediction counts for the order of the challengers.

    Those made beside another family's games do not: a setting chooses their share, which changes from day to day.
    """
    return event.in_metrics and not is_shadow(entry.stream)


def pair_of(assignment: Assignment | None) -> Pair | None:
    """The versions behind Production and B."""
    return None if assignment is None else (assignment.Production, assignment.B)


def pair_after(event: AliasesAssigned) -> Pair:
    """The versions behind Production and B from this assignment on."""
    versions = {change.alias: change.after for change in event.assignments}
    return versions["Production"], versions["B"]


def is_assigned_to_pair(event: GameStarted, swap_count: int, pair: Pair | None) -> bool:
    """Whether a game was given to one of the two versions, in the window that the `swap_count`th swap opened.

    A game may be recorded a moment after aliases moved under it: it belongs to what it started with.
    """
    return is_assigned_since(event, swap_count) and pair is not None and pair_of(event.assignment) == pair


def no_tallies() -> TalliesByKind:
    """No games of either alias."""
    return {alias: {} for alias in PLAYED_ALIASES}


def count_by_kind(tallies: TalliesByKind, event: GameFinished) -> None:
    """Take in a finished game of an alias."""
    assert event.alias is not None
    kinds = tallies[event.alias]
    kinds[event.player_kind] = one_more(kinds.get(event.player_kind, NO_GAMES), event)


def one_more(tally: Tally, event: GameFinished) -> Tally:
    """The tally with a finished game."""
    return Tally(games=tally.games + 1, wins=tally.wins + (event.winner == "bot"))
