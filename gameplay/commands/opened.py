"""A Core for the time of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from gameplay.config import Settings
from gameplay.core import Core, open_core


@contextmanager
def opened(settings: Settings, *, read_only: bool = False) -> Iterator[Core]:
    """Everything that lasts, with the projections at the head."""
    core = open_core(settings, read_only=read_only)
    try:
        core.read_models.projector.start()
        yield core
    finally:
        core.close()
