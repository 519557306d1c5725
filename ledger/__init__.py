"""What happened: an append-only, hash-chained event log. Knows nothing of what the events mean.

import ledger

with ledger.open("sqlite:///data/ledger.db") as log:
    log.append("game-7", [event], expected_version=0)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.opened import AsyncLedger, OpenLedger

__all__ = ["open", "open_async"]


def open(url: str) -> "OpenLedger":  # noqa: A001 - read as ledger.open
    """A ledger to append to, which must exist. Raises StorageError, NoLedgerError."""
    opened: OpenLedger = import_module("ledger.opened").open_ledger(url)
    return opened


def open_async(url: str) -> "AsyncLedger":
    """The same for `async with ledger.open_async(url) as log: await log.append(...)`."""
    opened: AsyncLedger = import_module("ledger.opened").AsyncLedger(url)
    return opened
