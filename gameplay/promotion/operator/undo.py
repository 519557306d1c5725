"""Bring back exactly the versions from before the last swap."""

from msgspec import Struct

from gameplay.promotion.operator.moves import planned
from gameplay.promotion.operator.orders import UndoOrder
from gameplay.promotion.state import StateAt
from gameplay.refusals import Conflict
from ledger.entries import Entry
from ledger.events import AliasesAssigned, AliasesPlanned, Event, TrainingCompleted
from ledger.store import Ledger
from ledger.streams import promotion_stream, training_stream
from ledger.times import show_time
from ledger.vocabulary import Alias, Cause
from projections.decision.cycle import is_cancellation
from projections.read_models.moves import LastSwap


class MovedSince(Struct, frozen=True):
    """An alias that was moved after the swap that an undo takes back."""

    position: int
    alias: Alias
    before: int | None
    after: int
    cause: Cause


class TrainedSince(Struct, frozen=True):
    """A version that was trained after the swap that an undo takes back."""

    position: int
    alias: Alias | None
    version: int


class Since(Struct, frozen=True):
    """What has changed since the swap that an undo takes back."""

    swap: LastSwap
    moved: tuple[MovedSince, ...]
    trained: tuple[TrainedSince, ...]


def undo(state: StateAt, order: UndoOrder) -> AliasesPlanned:
    """The plan of an undo. Raises Conflict where there is no swap to undo, or an alias is pinned elsewhere.

    An undo that takes back an exchange of Production and B is one too, whatever has moved the others since: it
    begins a new window.
    """
    swap = _last_swap(state)
    before = swap.assignment()
    if before is None:
        raise Conflict(f"{order.family} had not all of its aliases before the swap at position {swap.position}")
    try:
        return planned(state, before, order.origin, undoes=swap.position, swapped=swap.swapped)
    except Conflict as conflict:
        undone = f"the swap of {show_time(swap.swapped_us)} (position {swap.position}) cannot be undone"
        raise Conflict(f"{undone}: {conflict}") from conflict


def is_undo(event: Event, order: UndoOrder) -> bool:
    """Whether the event is what this order has become."""
    if not isinstance(event, AliasesPlanned) or event.undoes is None:
        return False
    asked = (order.family, order.origin.actor, order.origin.reason)
    return (event.model_type, event.actor, event.reason) == asked


def since(ledger: Ledger, state: StateAt) -> Since:
    """Every version that was moved or trained since the swap. Raises Conflict where there is none."""
    swap = _last_swap(state)
    moved = [
        MovedSince(entry.position, change.alias, change.before, change.after, event.cause)
        for entry, event in _after(ledger, promotion_stream(state.family), swap.position)
        if isinstance(event, AliasesAssigned) and not is_cancellation(event)
        for change in event.assignments
        if change.before != change.after
    ]
    trained = [
        TrainedSince(entry.position, event.alias, event.model_version)
        for entry, event in _after(ledger, training_stream(state.family), swap.position)
        if isinstance(event, TrainingCompleted) and event.model_version is not None
    ]
    return Since(swap, tuple(moved), tuple(trained))


def _last_swap(state: StateAt) -> LastSwap:
    if state.promotion.last_swap is None:
        raise Conflict(f"{state.family} has had no swap yet that could be undone")
    return state.promotion.last_swap


def _after(ledger: Ledger, stream: str, position: int) -> list[tuple[Entry, Event]]:
    return [(entry, ledger.decode(entry)) for entry in ledger.read_stream(stream) if entry.position > position]
