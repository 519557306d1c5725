"""APScheduler with waits that hold: whatever the wall clock does, and whatever a job hangs in.

The library reads the wall clock once and sleeps until the next job by it. Set back by twenty minutes for five
seconds, the clock is right again long before the sleep ends, and no job runs for twenty minutes. Here the wait is
short, each look compares the wall clock with the steady one, and where the wall clock was set the planned runs
move with it.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.base import BaseExecutor, MaxInstancesReachedError
from apscheduler.job import Job
from apscheduler.schedulers.base import BaseScheduler

from gameplay.serving.clocks import Clocks
from gameplay.serving.threads import Threads
from gameplay.serving.triggers import Trigger
from ledger.errors import OvertakenError, StorageError, UnavailableError

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 1.0
STEP_SECONDS_MIN = 0.5
"""A wall clock that moves this far from the steady one between two looks was set; less than that is slewing."""

TRY_AGAIN_SECONDS = 5.0
"""Between tries of a run that stays due: a full disk lasts for hours, and a job may do much before it shows."""

Work = Callable[[datetime], None]
"""What a job does; it gets the time for which the run was planned."""

Missed = Callable[[str, int], None]
"""Hears of a job how many of its runs were missed, or skipped because the one before had not ended."""


class Owed(NamedTuple):
    """A run that could not do its work: its own time, and when it may be tried again, by the steady clock."""

    due: datetime
    try_at_seconds: float


class JobThreads(BaseExecutor):  # type: ignore[misc]  # the library has no types
    """A thread for each run, so that a job which hangs holds neither another job nor the process's end.

    The library's own pool has threads that Python joins at its exit, for ever if need be.
    """

    def __init__(self, threads: Threads) -> None:
        super().__init__()
        self.failing: dict[str, str] = {}
        """The name of each job whose newest run failed, and the error."""
        self._threads = threads
        self._running: dict[str, threading.Thread] = {}

    def join(self, seconds_max: float) -> list[str]:
        """Wait for the runs under way; returns the jobs whose run has not ended in time."""
        deadline = time.monotonic() + seconds_max
        for thread in self._running.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        return [job for job, thread in self._running.items() if thread.is_alive()]

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self._running[job.id] = self._threads.start(f"job-{job.id}", lambda: self._run(job, run_times[-1]))

    def _run(self, job: Job, due: datetime) -> None:
        try:
            job.func(due)
        except BaseException as error:  # the run's outermost frame: an extension's panic is no Exception
            problem = f"{type(error).__name__}: {error}"
            # Each failure is counted, but logged only when it is new: a lost key fails every few seconds for days.
            if self.failing.get(job.id) != problem:
                # Where the database is away its words say all, and a failover would fill the log with tracebacks.
                if isinstance(error, UnavailableError):
                    log.error("the job %s failed: %s", job.id, error)  # noqa: TRY400 - see above
                else:
                    log.exception("the job %s failed", job.id)
            self.failing[job.id] = problem
            event = JobExecutionEvent(EVENT_JOB_ERROR, job.id, "default", due, exception=error)
        else:
            self.failing.pop(job.id, None)
            event = JobExecutionEvent(EVENT_JOB_EXECUTED, job.id, "default", due)
        self._run_job_success(job.id, [event])


class Scheduler(BaseScheduler):  # type: ignore[misc]  # the library has no types
    """Starts jobs when they are due, each once at a time; of several missed runs one is made up for.

    A firing that meets an outage is made up for, too: its run is tried again and again until the database is back.
    """

    def __init__(self, threads: Threads, clocks: Clocks, missed: Missed) -> None:
        self._threads = threads
        self._clocks = clocks
        self._missed = missed
        self._ahead_seconds = clocks.ahead_seconds()
        self._looked = clocks.now()
        self._runs = JobThreads(threads)
        self._owed: dict[str, Owed] = {}
        """By the name of the job."""
        self._look_now = threading.Event()
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None
        super().__init__(timezone="UTC", executors={"default": self._runs})
        self.add_listener(self._owe, EVENT_JOB_ERROR)

    @property
    def failing(self) -> dict[str, str]:
        """The name of each job whose newest run failed, and the error."""
        return dict(self._runs.failing)

    def add(self, name: str, work: Work, trigger: Trigger, first: datetime | None = None) -> None:
        """Add a job; its first run is the trigger's next one unless an earlier one is to be made up for."""
        first = first or trigger.get_next_fire_time(None, self._clocks.now())
        # The argument is there for the library, which checks that it fits; each run gets its own time.
        self.add_job(work, trigger, args=(first,), id=name, next_run_time=first)

    def start(self, paused: bool = False) -> None:
        """Begin; paused, the caller looks for what is due itself."""
        super().start(paused)
        if not paused:
            self._looking = self._threads.start("scheduler", self._look_again_and_again)

    def wakeup(self) -> None:
        """Look for what is due now."""
        self._look_now.set()

    def run_due(self) -> float:
        """Start every job that is due; returns the seconds until the next look."""
        now = self._clocks.now()
        self._follow(now)
        for job in self.get_jobs():
            if (due := self._due(job, now)) <= now:
                self._start(job, due, now)
        waits: list[float] = [(job.next_run_time - now).total_seconds() for job in self.get_jobs()]
        return min(WAIT_SECONDS_MAX, *waits)

    def shutdown(self, seconds_max: float = 0.0) -> list[str]:
        """Start no further run and wait for those under way; returns the jobs whose run has not ended in time."""
        self._ended.set()
        self.wakeup()
        if self._looking is not None:
            self._looking.join()
        super().shutdown(wait=False)
        return self.join(seconds_max)

    def join(self, seconds_max: float) -> list[str]:
        """Wait for the runs under way; returns the jobs whose run has not ended in time."""
        return self._runs.join(seconds_max)

    def _look_again_and_again(self) -> None:
        while not self._ended.is_set():
            self._look_now.wait(self.run_due())
            self._look_now.clear()

    def _follow(self, now: datetime) -> None:
        """Where the wall clock was set since the last look, move the planned runs with it."""
        ahead_seconds = self._clocks.ahead_seconds()
        step = timedelta(seconds=ahead_seconds - self._ahead_seconds)
        looked = self._looked + step
        self._ahead_seconds, self._looked = ahead_seconds, now
        if abs(step.total_seconds()) < STEP_SECONDS_MIN:
            return
        log.warning("the clock was set by %+.1f seconds", step.total_seconds())
        for job in self.get_jobs():
            self.modify_job(job.id, next_run_time=job.trigger.moved(job.next_run_time, step, looked))

    def _owe(self, event: JobExecutionEvent) -> None:
        """Keep a run in mind that the database, or another process, has kept from its work."""
        if isinstance(event.exception, StorageError | OvertakenError):
            self._owed[event.job_id] = Owed(event.scheduled_run_time, self._clocks.steady() + TRY_AGAIN_SECONDS)

    def _due(self, job: Job, now: datetime) -> datetime:
        """When the job is due, or was: a run that stays due comes again with the next firing at the latest."""
        planned: datetime = job.next_run_time
        owed = self._owed.get(job.id) if job.trigger.stays_due else None
        if owed is None or (owed.try_at_seconds > self._clocks.steady() and planned > now):
            return planned
        return owed.due

    def _start(self, job: Job, due: datetime, now: datetime) -> None:
        self._owed.pop(job.id, None)  # be it this run, or one that takes its place
        trigger = job.trigger
        latest = trigger.latest(due, now)
        missed = trigger.missed(due, latest)
        try:
            self._runs.submit_job(job, [latest])
        except MaxInstancesReachedError:
            missed += 1
        self.modify_job(job.id, next_run_time=trigger.get_next_fire_time(latest, now))
        if missed:
            self._missed(job.id, missed)
