"""The service's threads: each has a name and an outermost frame, and one that died is named at `/healthz`."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Threads:
    """Starts threads that do not hold the process's end."""

    def __init__(self) -> None:
        self.died: dict[str, str] = {}
        """The name of each thread that an error ended, and the error."""

    def start(self, name: str, work: Callable[[], object]) -> threading.Thread:
        """Have the work done on a thread of its own."""
        thread = threading.Thread(target=self._run, args=(name, work), name=name, daemon=True)
        thread.start()
        return thread

    def _run(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # the thread's outermost frame: an extension's panic is no Exception
            log.exception("the thread %s died", name)
            self.died[name] = f"{type(error).__name__}: {error}"
