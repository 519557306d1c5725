"""A stop that was asked for comes, whatever hangs: what was acknowledged is durable, as after a crash."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)

STOP_SECONDS_MAX = 18.0
EXIT_FORCED = 1


def _end() -> None:
    """Leave at once: Python's own end would wait for threads that hang."""
    logging.shutdown()
    os._exit(EXIT_FORCED)


class StopDeadline:
    """Ends the process when it has not ended by itself so long after the stop was asked for."""

    def __init__(self, *, seconds: float = STOP_SECONDS_MAX, end: Callable[[], None] = _end) -> None:
        self._seconds = seconds
        self._end = end
        self._armed = False

    def arm(self) -> None:
        """Start counting; may be called in a signal handler, and again."""
        if not self._armed:
            self._armed = True
            threading.Thread(target=self._wait, name="stop-deadline", daemon=True).start()

    def _wait(self) -> None:
        threading.Event().wait(self._seconds)
        log.error(
            "the service has not ended within %g seconds, and is ended by force: %s", self._seconds, at_work()
        )
        self._end()


def at_work() -> str:
    """What each other thread is doing: its name, and the function and line that it is in."""
    frames = sys._current_frames()
    own = threading.get_ident()
    threads = sorted(threading.enumerate(), key=lambda thread: thread.name)
    return ", ".join(
        f"{thread.name} in {_place(frames[thread.ident])}"
        for thread in threads
        if thread.ident in frames and thread.ident != own
    )


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_qualname} ({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})"
