"""Versions that a training registered before it died: MLflow has them, and the ledger shall know them."""

import logging
from collections.abc import Collection, Iterable

from gameplay.core import Core
from gameplay.models.errors import RegistryError, VersionMissing
from gameplay.training.fit import succeeded
from ledger.identity import read_id
from ledger.vocabulary import Family

log = logging.getLogger(__name__)

SOURCE = "recovery"


def recover(core: Core, families: Iterable[Family], *, rows_digests: Collection[str] | None = None) -> int:
    """Record what was registered and not recorded; how many versions that was.

    With `rows_digests`, only what learned from one of these data sets. A registry that does not answer is left
    alone: nothing can be registered there now either.
    """
    try:
        if core.registry.owner() not in (None, read_id(core.engine)):
            return 0  # another ledger's trainings are its own to record
        return sum(_recover(core, family, rows_digests) for family in families)
    except RegistryError as error:
        log.warning("versions of an interrupted training were not looked for: %s", error)
        return 0


def _recover(core: Core, family: Family, rows_digests: Collection[str] | None) -> int:
    newest, head = max(core.promotion.state(family).promotion.runs, default=0), core.ledger.head().position
    recovered = 0
    for version in sorted(core.registry.versions(family)):
        if version <= newest:
            continue
        try:
            files = core.registry.download(family, version)
        except VersionMissing:
            continue  # another tool's, without our card
        source = files.card.source
        if source.through_position > head or (rows_digests and source.rows_digest not in rows_digests):
            continue  # of another ledger
        core.ledger.record(succeeded(files, SOURCE, None))
        log.warning("version %d of %s is recorded, which an interrupted training left behind", version, family)
        recovered += 1
    return recovered
