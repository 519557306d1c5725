"""The jobs of a process as one thing that starts, is looked at and ends."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from prometheus_client import CollectorRegistry

from gameplay.serving.clocks import Clocks
from gameplay.serving.job_metrics import JobMetrics
from gameplay.serving.scheduler import Scheduler, Work
from gameplay.serving.threads import Threads
from gameplay.serving.triggers import Trigger

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5.0

Planned = Mapping[str, tuple[Work, Trigger]]
"""Name of a job -> what it does, and when."""


class Jobs:
    """Runs each job when it is due, at most once at a time."""

    def __init__(
        self,
        planned: Planned,
        process: CollectorRegistry,
        *,
        threads: Threads | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        clocks = clocks or Clocks()
        self._planned = planned
        self._ending = False
        self._starting = threading.Lock()
        metrics = JobMetrics(process, planned, clocks.wall)
        self._scheduler = Scheduler(threads or Threads(), clocks, metrics.count_missed)
        self._scheduler.add_listener(metrics.count_run, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)

    @property
    def names(self) -> frozenset[str]:
        """The names of the jobs."""
        return frozenset(self._planned)

    @property
    def failing(self) -> dict[str, str]:
        """The name of each job whose newest run failed, and the error."""
        return self._scheduler.failing

    def start(self, missed: Mapping[str, datetime | None] | None = None) -> None:
        """Begin, with the runs first that were missed while no process ran."""
        with self._starting:
            if self._ending:
                return
            for name, (work, trigger) in self._planned.items():
                self._scheduler.add(name, work, trigger, (missed or {}).get(name))
            self._scheduler.start()

    def look(self) -> None:
        """Start what is due now, without waiting for the next look."""
        self._scheduler.wakeup()

    def shutdown(self, seconds_max: float = SHUTDOWN_SECONDS) -> None:
        """Let a running job finish, but not for ever. Not for the event loop."""
        self._ending = True
        with self._starting:
            running = self._scheduler.running
        if running and (late := self._scheduler.shutdown(seconds_max)):
            # What a job has begun is finished by the next start, as after a crash.
            log.warning("the service ends while these jobs still run: %s", ", ".join(late))
