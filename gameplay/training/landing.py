"""Between registering a version and recording it nothing may end the process: the ledger would not know it."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final

from gameplay.models.errors import TrainingError

log = logging.getLogger(__name__)

END_SECONDS: Final = 10.0
"""An end waits so long for a version that is being registered; the next training records what takes longer."""


class Landing:
    """Held by each thread from before it registers a version until the version is recorded."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._landing = 0
        self._closed = False
        self.recorded: list[str] = []
        """What an end has to say of: each version with its family and the alias that it was trained for."""

    def __enter__(self) -> None:
        with self._changed:
            if self._closed:
                raise TrainingError("the process ends: nothing is registered any more")
            self._landing += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._landing -= 1
            self._changed.notify_all()

    def close(self, seconds: float) -> bool:
        """Let no other version begin to land, and wait for those that do; False when they took longer."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: self._landing == 0, seconds)


@contextmanager
def ends_between_versions(landing: Landing) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the process at once, but for a version that lands: it is recorded first.

    Fits under way cannot be stopped, and an end that waited for them would take a minute. Only the main thread
    gets signals; anywhere else this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        recorded = landing.close(END_SECONDS)
        log.warning(
            "training is interrupted by %s; %s: %s; no alias was moved",
            signal.Signals(number).name,
            "every version is recorded" if recorded else "the next training records what was being registered",
            ", ".join(landing.recorded) or "none was registered",
        )
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
