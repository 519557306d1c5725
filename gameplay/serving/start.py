"""A start whose every step is done in the end, though the database goes away during it."""

import logging
from collections.abc import Callable
from threading import Event

from gameplay.refusals import Conflict
from ledger.errors import OvertakenError, StorageError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


class EndingError(Exception):
    """The process ends before its start has come to an end."""


class Start:
    """Does step after step. A step left out would be missing until the process ends: its jobs, say."""

    def __init__(self, ending: Event) -> None:
        self.problem: str | None = None
        """What holds the start up now."""
        self._ending = ending

    def do(self, step: Callable[[], object], *, again: Callable[[], object] | None = None) -> None:
        """Have a step done; where the database or another process keeps it from that, do it `again` until it is.

        Raises EndingError where the process ends before, and whatever else the step raises.
        """
        while not self._ending.is_set():
            try:
                step()
            except (StorageError, OvertakenError, Conflict) as error:
                self._say(str(error))
                step = again or step
                self._ending.wait(PAUSE_SECONDS)
            else:
                self._say(None)
                return
        raise EndingError

    def _say(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        if problem is None:
            log.info("the start goes on")
        else:
            log.warning("the start is held up, and goes on by itself: %s", problem)
        self.problem = problem
