"""The process's own gauges: what it says of itself beside the series that are folded from the ledger."""

from collections.abc import Callable
from importlib.metadata import version as package_version
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, GCCollector, Info, PlatformCollector, ProcessCollector

from gameplay.core import Core
from ledger.writer import Writer

VERSION = package_version("promotion-ledger")
"""The release that is running."""


def register(process: CollectorRegistry, core: Core, writer: Writer, clock: Callable[[], float]) -> None:
    """Give the registry everything that is read at scrape time."""
    ProcessCollector(registry=process)
    PlatformCollector(registry=process)
    GCCollector(registry=process)
    Info("rps_build", "The release that is running.", registry=process).info({"version": VERSION})
    gauges: dict[str, tuple[str, Any]] = {
        "rps_writer_unanswered_events": (
            "Events appended by requests and not yet durable.",
            lambda: writer.unanswered_events,
        ),
        "rps_projection_snapshots_discarded": (
            "Stored read models that did not fit the ledger at the start and were folded again.",
            lambda: sum(core.read_models.projector.discarded.values()),
        ),
        "rps_projection_forks": (
            "How often the ledger was no longer the one that had been folded.",
            lambda: core.read_models.projector.forks,
        ),
        "rps_registry_mismatches": (
            "Families whose aliases in the registry and in the ledger differ and cannot be brought together.",
            lambda: len(core.promotion.problems),
        ),
        "rps_ledger_ahead_of_clock_seconds": (
            "How much later than this machine's clock the ledger's last event is stamped; 0 when it is not.",
            lambda: max(0.0, core.read_models.projector.head.recorded_us / 1_000_000 - clock()),
        ),
        "rps_models_loaded": ("Model versions in memory.", lambda: len(core.models.sources())),
    }
    for name, (help_, read) in gauges.items():
        Gauge(name, help_, registry=process).set_function(read)
