"""A Core for the time of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from gameplay.config import Settings
from gameplay.core import Core, open_core
from ledger.engines.database import demand_ledger


@contextmanager
def opened(settings: Settings, *, read_only: bool = False) -> Iterator[Core]:
    """Everything that lasts, with the projections at the head. Raises NoLedgerError: a command makes no ledger."""
    check_ledger(settings)
    core = open_core(settings, read_only=read_only)
    try:
        core.read_models.projector.start()
        yield core
    finally:
        core.close()


def check_ledger(settings: Settings) -> None:
    """Raise NoLedgerError where there is none: a folder that was mistyped must not become an empty ledger."""
    demand_ledger(settings.database_url)
