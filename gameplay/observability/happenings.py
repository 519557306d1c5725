"""What a log is read for: each happening is one line at INFO, with its position in the ledger."""

import logging
from collections.abc import Sequence

from ledger.appends import Receipt
from ledger.events import AliasesAssigned, AliasesPlanned, CycleDecided, Event, TrainingCompleted, wire_name
from projections.audit.summaries import summary

log = logging.getLogger("gameplay")


def happened(name: str, text: str, *, position: int, **facts: object) -> None:
    """Log one happening; `name` and `facts` are fields of their own where the log is JSON."""
    log.info("%s", text, extra={"facts": {"event": name, "position": position, **facts}})


def appended(new: Sequence[Event], receipt: Receipt) -> None:
    """Log the events that this process has appended, other than those of games."""
    for position, event in enumerate(new, receipt.first_position):
        # A plan is carried out at once, and that is a line; one that stays open is a warning.
        if not isinstance(event, AliasesPlanned):
            family = getattr(event, "model_type", None)
            text = f"{family or 'ledger'}: {_name(event)}: {summary(event)}"
            happened(_name(event), text, position=position, type=wire_name(type(event)), model_type=family)


def _name(event: Event) -> str:
    match event:
        case CycleDecided():
            return "cycle decided"
        case AliasesAssigned():
            return _move(event)
        case TrainingCompleted():
            return "trained" if event.status == "success" else "training failed"
        case _:
            # A pin, a rule, an accepted clock: what an operator has done is called what the ledger calls it.
            return wire_name(type(event)).partition(".")[2].replace("_", " ")


def _move(event: AliasesAssigned) -> str:
    if event.swapped:
        return "swap"
    if event.reordered:
        return "reorder"
    return "adoption" if event.cause in ("registry", "bootstrap") else "aliases moved"
