"""What an audit found, and where to look for it in the example."""

from ledger.entries import Entry
from ledger.events import CycleDecided, Event
from projections.audit.decisions import Audit


def mismatched(audit: Audit) -> dict[int, set[str]]:
    """Position -> the fields that came out otherwise."""
    return {
        one.position: {mismatch.field for mismatch in one.mismatches} for one in audit.decisions if not one.agrees
    }


def decided(
    events: list[tuple[Entry, Event]], decision: str, trigger: str = "schedule"
) -> tuple[Entry, CycleDecided]:
    """The last cycle that came to a decision."""
    return next(
        (entry, event)
        for entry, event in reversed(events)
        if isinstance(event, CycleDecided) and (event.decision, event.trigger) == (decision, trigger)
    )
