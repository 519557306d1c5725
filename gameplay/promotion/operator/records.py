"""What has happened to a family's aliases: cycles, moves, pins and rules, one record each."""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    CycleDecided,
    PlanApproved,
    PlanRejected,
    RuleSet,
)
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.times import show_time
from ledger.vocabulary import FAMILIES, Family
from projections.audit.summaries import moves
from projections.decision.cycle import is_cancellation

Kind = Literal["cycle", "move", "approval", "rejection", "cancel", "pin", "unpin", "rule", "adoption"]


class Record(Struct, frozen=True, kw_only=True):
    """One thing that has happened. `applied`: whether its plan was completed; null where it has none."""

    position: int
    recorded_us: int
    family: Family
    kind: Kind = "cycle"
    text: str = ""
    actor: str | None = None
    reason: str | None = None
    swapped: bool = False
    applied: bool | None = None
    undoes: int | None = None


def records(ledger: Ledger, families: Sequence[Family] = FAMILIES, *, limit: int) -> list[Record]:
    """The newest records of the families, newest first."""
    found = [record for family in families for record in _of_family(ledger, family)]
    return sorted(found, key=lambda record: -record.position)[:limit]


def _of_family(ledger: Ledger, family: Family) -> Iterator[Record]:
    events = [(entry, ledger.decode(entry)) for entry in ledger.read_stream(promotion_stream(family))]
    plans = {event.cycle: entry.version for entry, event in events if isinstance(event, AliasesPlanned)}
    completed = {
        event.plan
        for _, event in events
        if isinstance(event, AliasesAssigned) and event.plan is not None and not is_cancellation(event)
    }
    rejected: set[int] = set()
    for entry, event in events:
        record = Record(position=entry.position, recorded_us=entry.recorded_us, family=family)
        match event:
            case CycleDecided():
                is_done = event.report is not None or plans.get(event.cycle) in completed
                yield _cycle(record, event, is_done=is_done)
            case AliasesPlanned() if event.cycle is None:
                yield _move(record, event, is_done=entry.version in completed)
            case PlanApproved():
                yield _by_hand(record, "approval", f"plan {event.plan} is approved", event)
            case PlanRejected():
                rejected.add(event.plan)
                how = "was not approved in time" if event.cause == "expired" else "is rejected"
                yield _by_hand(record, "rejection", f"plan {event.plan} {how}", event)
            case AliasesAssigned() if event.plan in rejected:
                pass  # it closes the plan that the record before names
            case AliasesAssigned() if is_cancellation(event):
                yield _by_hand(record, "cancel", f"plan {event.plan} is cancelled", event)
            case AliasesAssigned() if event.plan is None and event.cycle is None:
                text = f"{event.cause}: {moves(event.assignments)}"
                yield replace(record, kind="adoption", text=text, swapped=event.swapped)
            case AliasPinned():
                until = f" until {show_time(event.expires_us)}" if event.expires_us is not None else ""
                yield _by_hand(record, "pin", f"{event.alias} is held at v{event.version}{until}", event)
            case AliasUnpinned():
                expired = ", expired" if event.cause == "expired" else ""
                yield _by_hand(record, "unpin", f"{event.alias} is held no more{expired}", event)
            case RuleSet():
                text = f"rule {event.rule.name}, alpha {event.rule.alpha}"
                yield replace(record, kind="rule", text=text, actor=event.actor)
            case _:
                pass  # it completes what has its record already


def _cycle(record: Record, event: CycleDecided, *, is_done: bool) -> Record:
    swaps = event.decision == "swap_production_b"
    return replace(
        record,
        kind="cycle",
        text=f"cycle {event.cycle}: {event.decision}{' + reorder' if event.reordered else ''}",
        reason=event.reason,
        swapped=swaps,
        applied=is_done if swaps or event.reordered else None,
    )


def _move(record: Record, event: AliasesPlanned, *, is_done: bool) -> Record:
    undone = f", undoing position {event.undoes:,}" if event.undoes else ""
    return replace(
        record,
        kind="move",
        text=f"{event.cause}: {moves(event.assignments)}{undone}",
        actor=event.actor,
        reason=event.reason,
        swapped=event.swapped,
        applied=is_done,
        undoes=event.undoes,
    )


ByHand = AliasesAssigned | AliasPinned | AliasUnpinned | PlanApproved | PlanRejected


def _by_hand(record: Record, kind: Kind, text: str, event: ByHand) -> Record:
    return replace(record, kind=kind, text=text, actor=event.actor, reason=event.reason)
