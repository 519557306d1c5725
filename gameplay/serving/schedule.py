"""What runs by itself: cycles, training, parity checks, sealing, closing idle games, the projections' catch-up."""

import logging
import threading
import time
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from gameplay.core import Core, PlayCore
from gameplay.cron import Crontab
from gameplay.models.errors import ModelError
from gameplay.observability.happenings import happened
from gameplay.parity.recording import check_versions, last_rounds
from gameplay.promotion.adoption import watch
from gameplay.promotion.annotations import Annotations
from gameplay.promotion.planning import cycle
from gameplay.refusals import Refusal
from gameplay.serving.abandonment import Abandonment
from gameplay.serving.clocks import Clocks
from gameplay.serving.cloud_events import secret_bytes
from gameplay.serving.jobs import SHUTDOWN_SECONDS, Jobs
from gameplay.serving.leases import Leases
from gameplay.serving.scheduler import Work
from gameplay.serving.threads import Threads
from gameplay.serving.triggers import AtFirings, Every, Trigger
from gameplay.serving.webhook import LEASE, Webhook, WebhookMetrics
from gameplay.training.process import TrainingProcess
from ledger.engines.sqlite import bound_wal
from ledger.errors import StorageError
from ledger.sealing.seals import Sealer
from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES, Family
from projections.audit.summaries import summary

log = logging.getLogger(__name__)

CATCH_UP_SECONDS = 1
SLICE_ENTRIES = 200
"""So many are folded at once, in a millisecond or two."""
REST_SECONDS = 0.002
"""Between two slices of a job that computes for long. A move that waits for the interpreter waits for a slice."""
SEAL_SECONDS = 10
KEEP_LINK_SECONDS = 60
ABANDON_SECONDS = 30
REGISTRY_SECONDS = 60
ANNOTATE_SECONDS = 15
LEASE_PERIODS = 2.5
"""A job is another process's when its holder has missed two turns."""
CRON_LEASE_SECONDS = 50.0
AHEAD_SECONDS_MAX = 10.0
"""A ledger this far ahead of the clock is worth a warning: clocks of two machines differ by less."""


class Schedule:
    """The jobs of one serving process, each at most once at a time."""

    def __init__(
        self,
        core: Core,
        process: CollectorRegistry,
        *,
        threads: Threads | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        self._core = core
        self._clocks = clocks or Clocks()
        self._sealer: Sealer | None = None
        self._abandonment = Abandonment(
            core.ledger,
            core.read_models,
            idle_seconds=core.settings.game_idle_seconds,
            steady=self._clocks.steady,
        )
        self._annotations = Annotations(core.ledger, core.registry)
        self._leases = Leases(core.engine)
        self._ending = threading.Event()
        self._threads = threads or Threads()
        self._webhook = self._open_webhook(WebhookMetrics(process))
        self._sending: threading.Thread | None = None
        self._training = TrainingProcess(core.settings)
        self._ahead = False
        self._jobs = Jobs(self._planned(), process, threads=self._threads, clocks=self._clocks)

    @property
    def jobs(self) -> frozenset[str]:
        """The names of the jobs."""
        return self._jobs.names

    @property
    def failing(self) -> dict[str, str]:
        """The name of each job whose newest run failed, and the error."""
        return self._jobs.failing

    def start(self) -> None:
        """Begin; a promotion cycle that was missed while no process ran comes first."""
        self._abandonment.mark()
        self._jobs.start({"promotion": self._missed_cycle()})
        if (webhook := self._webhook) is not None:
            self._sending = self._threads.start("webhook", lambda: webhook.run(self._ending))

    def look(self) -> None:
        """Start what is due now, without waiting for the next look."""
        self._jobs.look()

    def shutdown(self, seconds_max: float = SHUTDOWN_SECONDS) -> None:
        """Let a running job finish, but not for ever, and a training run not at all. Not for the event loop."""
        deadline = time.monotonic() + seconds_max
        self._ending.set()
        self._training.stop()
        self._jobs.shutdown(seconds_max)
        if (sending := self._sending) is not None:
            sending.join(max(0.0, deadline - time.monotonic()))
        try:
            # Another process that sent meanwhile would send what this one still waits to be answered for.
            self._leases.release(but=(LEASE,) if sending is not None and sending.is_alive() else ())
        except StorageError as error:
            log.warning("the leases of this process stay until their time is up: %s", error)

    def _planned(self) -> dict[str, tuple[Work, Trigger]]:
        settings = self._core.settings
        jobs: dict[str, tuple[Work, Trigger]] = {
            "catch-up": (self._catch_up, Every(CATCH_UP_SECONDS)),
            "abandon": (self._abandon, Every(ABANDON_SECONDS)),
            "registry": (self._watch_registry, Every(REGISTRY_SECONDS)),
            "annotate": (self._alone("annotate", ANNOTATE_SECONDS, self._annotate), Every(ANNOTATE_SECONDS)),
            "seal": (self._alone("seal", SEAL_SECONDS, self._seal), Every(SEAL_SECONDS)),
            "keep-link": (self._keep_link, Every(KEEP_LINK_SECONDS)),
        }
        if settings.promotion_schedule is not None:
            jobs["promotion"] = (self._promote, AtFirings(Crontab(settings.promotion_schedule)))
        if settings.train_schedule is not None:
            jobs["training"] = (self._train, AtFirings(Crontab(settings.train_schedule)))
        if settings.parity_schedule is not None:
            jobs["parity"] = (self._check_parity, AtFirings(Crontab(settings.parity_schedule)))
        return jobs

    def _open_webhook(self, metrics: WebhookMetrics) -> Webhook | None:
        url, secret = self._core.settings.webhook_url, self._core.settings.webhook_secret
        if url is None:
            return None
        return Webhook(self._core.ledger, self._leases, metrics, url, secret_bytes(secret) if secret else None)

    def _alone(self, job: str, seconds: float, work: Work) -> Work:
        """The work, left to another process for as long as that does it every so many seconds."""

        def work_alone(due: datetime) -> None:
            if self._leases.take(job, seconds * LEASE_PERIODS):
                work(due)

        return work_alone

    def _catch_up(self, _due: datetime) -> None:
        """Fold what has come, so that a scrape finds little to do; keep snapshots fresh and models loaded."""
        projector = self._core.read_models.projector
        if projector.failure is None:
            has_more = True
            while has_more:
                has_more = projector.advance(SLICE_ENTRIES) and not self._rest()
                projector.save()  # where events come as fast as they are folded, too
            self._core.ask_for_models()
            self._warn_of_clock()

    def _rest(self) -> bool:
        """Leave the interpreter to the moves that have come meanwhile; says whether the service ends."""
        return self._ending.wait(REST_SECONDS)

    def _seal(self, _due: datetime) -> None:
        """Sign what has been appended, and archive the checkpoint."""
        if self._sealer is None:
            # Opened here and not at the start: without its key the service plays, and /healthz says so.
            self._sealer = self._core.open_sealer()
        if (seal := self._sealer.run(int(self._clocks.wall() * 1_000_000), self._rest)) is not None:
            happened("sealed", f"sealed: a signed checkpoint over {seal.size} events", position=seal.size)

    def _keep_link(self, _due: datetime) -> None:
        """Keep the ledger's newest link outside, and give back the disk that a long read has taken."""
        self._core.copies.renew(self._core.ledger)
        bound_wal(self._core.engine)

    def _abandon(self, _due: datetime) -> None:
        if self._core.read_models.projector.failure is not None:
            return
        if self._leases.take("abandon", ABANDON_SECONDS * LEASE_PERIODS):
            self._abandonment.run(self._ending.is_set)
        else:
            self._abandonment.mark()  # to know how long games are idle, when its own turn comes

    def _watch_registry(self, _due: datetime) -> None:
        """See what was deleted or handed out again in the registry, and go on where it was repaired."""
        try:
            self._core.claim_registry()
            watch(self._core.promotion, FAMILIES)
        except (ModelError, Refusal) as error:
            log.warning("ledger and registry could not be compared: %s", error)

    def _annotate(self, _due: datetime) -> None:
        # Before that, the registry may turn out to be another ledger's.
        if self._core.has_claimed:
            self._annotations.run()

    def _promote(self, due: datetime) -> None:
        for family in FAMILIES:
            try:
                cycle(self._core.promotion, family, trigger="schedule", source="scheduler", tick=due)
            except Refusal as refusal:
                log.warning("no promotion cycle: %s", refusal)

    def _train(self, _due: datetime) -> None:
        # The cron lines of all processes fire in the same minute.
        if self._leases.take("training", CRON_LEASE_SECONDS):
            self._training.run()

    def _check_parity(self, _due: datetime) -> None:
        if not self._leases.take("parity", CRON_LEASE_SECONDS):
            return
        core = self._core
        for family in FAMILIES:
            promotion = core.promotion.state(family).promotion
            rounds = last_rounds(core.ledger, family)
            for event in check_versions(core.ledger, core.models, family, promotion, rounds, self._ending.is_set):
                core.ledger.record(event)
                if event.differences:
                    log.warning("parity of %s: %s", family, summary(event))

    def _missed_cycle(self) -> datetime | None:
        """The last firing of the promotion's cron line, if a family has had no cycle since.

        A family without any cycle could have had one since its first assignment.
        """
        if self._core.settings.promotion_schedule is None:
            return None
        firing = Crontab(self._core.settings.promotion_schedule).latest(self._clocks.now())
        firing_us = int(firing.timestamp() * 1_000_000)
        could_us = [since_us for family in FAMILIES if (since_us := self._cycle_since_us(family)) is not None]
        return firing if any(since_us < firing_us for since_us in could_us) else None

    def _cycle_since_us(self, family: Family) -> int | None:
        if (evaluation := self._core.promotion.state(family).promotion.evaluation) is not None:
            return evaluation.evaluated_us
        entries = self._core.ledger.read_stream(promotion_stream(family))
        return entries[0].recorded_us if entries else None

    def _warn_of_clock(self) -> None:
        """Say once that the ledger is ahead of the clock: until time has caught up, every stamp is the same."""
        ahead_seconds = self._core.read_models.projector.head.recorded_us / 1_000_000 - self._clocks.wall()
        if (ahead_seconds > AHEAD_SECONDS_MAX) != self._ahead:
            self._ahead = not self._ahead
            if self._ahead:
                log.warning(
                    "the ledger's last event is stamped %s later than this machine's clock: its clock was ahead",
                    timedelta(seconds=round(ahead_seconds)),
                )


def jobs_of_play(core: PlayCore) -> dict[str, tuple[Work, Trigger]]:
    """The jobs of a process that only plays: it follows what the others decide."""

    def catch_up(_due: datetime) -> None:
        if core.families.failure is None:
            core.ask_for_models()

    return {"catch-up": (catch_up, Every(CATCH_UP_SECONDS))}
