"""What was behind each alias at a position, from the assignments alone, which the database looks for."""

from msgspec import Struct, field

from ledger.events import AliasesAssigned, wire_name
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES
from projections.fold import decode


class FamilyAliases(Struct):
    """One family: alias -> version, empty before the first assignment; its swaps, and when the last one was."""

    versions: dict[str, int] = field(default_factory=dict)
    swaps: int = 0
    last_swap_us: int | None = None


def aliases_at(ledger: Ledger, position: int) -> dict[str, FamilyAliases]:
    """Every family at a position. Raises ProjectionError for an assignment that cannot be read, StorageError."""
    families: dict[str, FamilyAliases] = {family: FamilyAliases() for family in FAMILIES}
    after, types = 0, (wire_name(AliasesAssigned),)
    while page := ledger.read(after, through=position, types=types):
        for entry in page:
            event = decode(entry, ledger.codec)
            assert isinstance(event, AliasesAssigned)
            family = families[event.model_type]
            family.versions = {change.alias: change.after for change in event.assignments}
            if event.swapped:
                family.swaps += 1
                family.last_swap_us = entry.recorded_us
        after = page[-1].position
    return families
