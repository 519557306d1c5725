"""What the promotion state keeps of changes of aliases: the open plan, pins, and the last swap."""

from msgspec import Struct

from ledger.entries import Entry
from ledger.events import AliasChange, AliasesAssigned, AliasesPlanned, AliasPinned, Assignment
from ledger.vocabulary import ALIASES, Cause, PlanCause


class OpenPlan(Struct):
    """A plan that no assignment has completed yet; `version` is its stream version."""

    version: int
    cause: PlanCause
    cycle: int | None
    assignments: tuple[AliasChange, ...]
    swapped: bool
    reordered: bool
    planned_us: int
    actor: str | None
    reason: str | None
    key: str | None
    undoes: int | None
    approve_by_us: int | None
    approved: bool = False

    @property
    def waits(self) -> bool:
        """Whether it must not be carried out yet: no operator has approved it."""
        return self.approve_by_us is not None and not self.approved


class Pin(Struct):
    """A version that is held behind an alias, until `expires_us` or, without that, until it is unpinned."""

    version: int
    expires_us: int | None
    pinned_us: int
    actor: str
    reason: str

    def holds(self, now_us: int) -> bool:
        """Whether it has not expired; that it has is recorded later, by the next cycle or start."""
        return self.expires_us is None or now_us < self.expires_us


class LastSwap(Struct):
    """The newest move that an undo takes back; `before` are the versions that it found.

    `swapped`: it exchanged Production and B, and began a window.
    """

    position: int
    swapped_us: int
    cause: Cause
    actor: str | None
    swapped: bool
    undoes: int | None
    before: dict[str, int]

    def assignment(self) -> Assignment | None:
        """The aliases before it; None where the family had not all of them."""
        return Assignment(**self.before) if all(alias in self.before for alias in ALIASES) else None


def open_plan(event: AliasesPlanned, entry: Entry) -> OpenPlan:
    """The plan, as it stays open."""
    return OpenPlan(
        version=entry.version,
        cause=event.cause,
        cycle=event.cycle,
        assignments=event.assignments,
        swapped=event.swapped,
        reordered=event.reordered,
        planned_us=entry.recorded_us,
        actor=event.actor,
        reason=event.reason,
        key=event.key,
        undoes=event.undoes,
        approve_by_us=event.approve_by_us,
    )


def pin(event: AliasPinned, entry: Entry) -> Pin:
    """The pin that an event sets."""
    return Pin(event.version, event.expires_us, entry.recorded_us, event.actor, event.reason)


def last_swap(event: AliasesAssigned, entry: Entry) -> LastSwap | None:
    """The swap that an event is; None where it is none.

    Swaps are exchanges of Production and B whatever their cause, what an operator has brought to Production from
    another alias, and the undo of either: an undo may be undone.
    """
    by_hand = event.cause == "manual" and any(
        change.alias == "Production" and change.before not in (None, change.after) for change in event.assignments
    )
    if not (event.swapped or event.undoes is not None or by_hand):
        return None
    return LastSwap(
        position=entry.position,
        swapped_us=entry.recorded_us,
        cause=event.cause,
        actor=event.actor,
        swapped=event.swapped,
        undoes=event.undoes,
        before={change.alias: change.before for change in event.assignments if change.before is not None},
    )
