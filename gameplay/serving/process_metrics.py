"""The process's own gauges: what it says of itself beside the series that are folded from the ledger."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version as package_version

from prometheus_client import CollectorRegistry, Gauge, GCCollector, Info, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from gameplay.core import Core, PlayCore
from gameplay.cron import Crontab
from ledger.engines.sqlite import size_bytes
from ledger.vocabulary import FAMILIES, Family
from ledger.writer import Writer

VERSION = package_version("promotion-ledger")
"""The release that is running."""
CYCLE_GRACE = timedelta(hours=2)
"""How long after its firing a cycle may still be on its way: training, a restart, a registry that is away."""
CYCLE_INTERVAL_OUTSIDE = timedelta(days=1)
"""How often cycles come where an outside automation, whose schedule this process does not know, asks for them."""


Gauges = Mapping[str, tuple[str, Callable[[], float]]]
"""Name of a gauge -> what it means, and what reads it."""


class LedgerSize(Collector):
    """What the ledger takes of the disk, without a sample where the file system does not say it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The family without a sample."""
        yield GaugeMetricFamily("rps_ledger_bytes", "Bytes of the ledger's database file and its write-ahead log.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The family, read off the file system."""
        (family,) = self.describe()
        if (size := size_bytes(self._engine)) is not None:
            family.add_metric((), size)
        yield family


def register(process: CollectorRegistry, core: PlayCore) -> None:
    """Give the registry what every serving process shows."""
    ProcessCollector(registry=process)
    PlatformCollector(registry=process)
    GCCollector(registry=process)
    Info("rps_build", "The release that is running.", registry=process).info({"version": VERSION})
    gauges: Gauges = {
        "rps_projection_forks": (
            "How often the ledger was no longer the one that had been folded.",
            lambda: core.families.forks,
        ),
        "rps_models_loaded": ("Model versions in memory.", lambda: len(core.models.sources())),
    }
    _set(process, gauges)


def register_games(process: CollectorRegistry, writer: Writer) -> None:
    """Give the registry what a process that plays shows."""
    unanswered = ("Events appended by requests and not yet durable.", lambda: writer.unanswered_events)
    _set(process, {"rps_writer_unanswered_events": unanswered})


def register_views(process: CollectorRegistry, core: Core, clock: Callable[[], float]) -> None:
    """Give the registry what a process that folds everything shows."""
    gauges: Gauges = {
        "rps_projection_snapshots_discarded": (
            "Stored read models that did not fit the ledger at the start and were folded again.",
            lambda: sum(core.read_models.projector.discarded.values()),
        ),
        "rps_registry_mismatches": (
            "Families whose aliases in the registry and in the ledger differ and cannot be brought together.",
            lambda: len(core.promotion.problems),
        ),
        "rps_ledger_ahead_of_clock_seconds": (
            "How much later than this machine's clock the ledger's last event is stamped; 0 when it is not.",
            lambda: max(0.0, core.read_models.projector.head.recorded_us / 1_000_000 - clock()),
        ),
        "rps_promotion_due_timestamp_seconds": (
            "When the newest promotion cycle was due that must have taken place by now.",
            due_cycle(core.settings.promotion_schedule, clock),
        ),
    }
    _set(process, gauges)
    process.register(LedgerSize(core.engine))
    age = Gauge(
        "rps_promotion_approval_age_seconds",
        "How long a swap has been waiting for an operator's approval; 0 while none waits.",
        ["model"],
        registry=process,
    )
    for family in FAMILIES:
        age.labels(family).set_function(partial(_waits_seconds, core, family, clock))


def due_cycle(line: str | None, clock: Callable[[], float]) -> Callable[[], float]:
    """What reads when the newest cycle was due that must have taken place by now."""
    crontab = Crontab(line) if line is not None else None

    def due() -> float:
        late = datetime.fromtimestamp(clock(), UTC) - CYCLE_GRACE
        return (crontab.latest(late) if crontab is not None else late - CYCLE_INTERVAL_OUTSIDE).timestamp()

    return due


def _waits_seconds(core: Core, family: Family, clock: Callable[[], float]) -> float:
    plan = core.families.known[family].plan
    return max(clock() - plan.planned_us / 1_000_000, 0.0) if plan is not None and plan.waits else 0.0


def _set(process: CollectorRegistry, gauges: Gauges) -> None:
    for name, (help_, read) in gauges.items():
        Gauge(name, help_, registry=process).set_function(read)
