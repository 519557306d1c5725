"""What runs by itself: promotion cycles, closing idle games, and keeping the projections near the head."""

import logging
import time
from collections.abc import Callable

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry, Counter

from gameplay.core import Core
from gameplay.cron import Crontab
from gameplay.promotion.planning import cycle
from gameplay.refusals import Conflict
from gameplay.serving.play import abandon_idle
from gameplay.serving.triggers import AtFirings
from gameplay.training.process import TrainingProcess
from ledger.vocabulary import FAMILIES

log = logging.getLogger(__name__)

NUDGE_SECONDS = 1
SEAL_SECONDS = 10
ABANDON_SECONDS = 30


class Schedule:
    """The jobs of one serving process, each at most once at a time."""

    def __init__(self, core: Core, process: CollectorRegistry, *, since_us: int) -> None:
        self._core = core
        self._since_us = since_us
        self._failures = Counter(
            "rps_job_failures", "Scheduled jobs that ended in an error.", ("task",), registry=process
        )
        # Not the asyncio scheduler: its shutdown does not wait for a job that is in the middle of something.
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        self._scheduler.add_listener(self._count_failure, EVENT_JOB_ERROR)
        self._add("nudge", self._nudge, IntervalTrigger(seconds=NUDGE_SECONDS))
        self._add("abandon", self._abandon, IntervalTrigger(seconds=ABANDON_SECONDS))
        self._sealer = core.open_sealer()
        self._add("seal", self._seal, IntervalTrigger(seconds=SEAL_SECONDS))
        if core.settings.promotion_schedule is not None:
            trigger = AtFirings(Crontab(core.settings.promotion_schedule))
            self._add("promotion", self._promote, trigger)
        self._training = TrainingProcess(core.settings)
        if core.settings.train_schedule is not None:
            trigger = AtFirings(Crontab(core.settings.train_schedule))
            self._add("training", self._training.run, trigger)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def shutdown(self) -> None:
        """Let a running job finish, but for a training run, then stop. Not to be called on the event loop."""
        self._training.stop()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def _add(self, name: str, job: Callable[[], None], trigger: IntervalTrigger | AtFirings) -> None:
        self._failures.labels(name)
        self._scheduler.add_job(job, trigger, id=name)

    def _nudge(self) -> None:
        """Fold what has come, so that a scrape finds little to do; keep snapshots fresh and models loaded."""
        projector = self._core.read_models.projector
        if projector.failure is None:
            projector.catch_up()
            projector.save()
            self._core.ask_for_models()

    def _seal(self) -> None:
        """Sign what has been appended, and archive the checkpoint."""
        self._sealer.run(time.time_ns() // 1_000)

    def _abandon(self) -> None:
        core = self._core
        idle_seconds = core.settings.game_idle_seconds
        abandon_idle(core.ledger, core.read_models, idle_seconds, since_us=self._since_us)

    def _promote(self) -> None:
        for family in FAMILIES:
            try:
                cycle(self._core.promotion, family, trigger="schedule", source="scheduler")
            except Conflict as conflict:
                log.warning("no promotion cycle: %s", conflict)

    def _count_failure(self, event: JobExecutionEvent) -> None:
        self._failures.labels(event.job_id).inc()
