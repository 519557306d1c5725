"""What was behind each alias at a position, from the assignments alone, which are on the promotion streams."""

from msgspec import Struct, field

from ledger.events import AliasesAssigned, wire_name
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES
from projections.fold import decode

_ASSIGNED = wire_name(AliasesAssigned)


class FamilyAliases(Struct):
    """One family: alias -> version, empty before the first assignment; its swaps, and when the last one was."""

    versions: dict[str, int] = field(default_factory=dict)
    swaps: int = 0
    last_swap_us: int | None = None


def aliases_at(ledger: Ledger, position: int) -> dict[str, FamilyAliases]:
    """Every family at a position. Raises ProjectionError for an assignment that cannot be read, StorageError."""
    families: dict[str, FamilyAliases] = {family: FamilyAliases() for family in FAMILIES}
    for entry in ledger.read_streams({promotion_stream(family): 0 for family in FAMILIES}):
        if entry.position > position or entry.type != _ASSIGNED:
            continue
        event = decode(entry, ledger.codec)
        assert isinstance(event, AliasesAssigned)
        family = families[event.model_type]
        family.versions = {change.alias: change.after for change in event.assignments}
        if event.swapped:
            family.swaps += 1
            family.last_swap_us = entry.recorded_us
    return families
