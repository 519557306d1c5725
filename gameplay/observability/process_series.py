"""What a scrape finds beside the ledger's series: what a process says of itself, and what Prometheus notes.

Dashboards, alerts and docs may name these; the ledger's own are in `projections.metrics.series`.
"""

from typing import Final

from projections.metrics.series import SAMPLE_LABELS, sample_labels

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
"""What `status` of an HTTP series says: the classes, so that all of them are there at 0."""

PROCESS_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "rps_http_requests_total": ("method", "route", "status"),
    **sample_labels("rps_http_request_duration_seconds", "histogram", ("route",)),
    "rps_job_runs_total": ("task",),
    "rps_job_failures_total": ("task",),
    "rps_job_missed_total": ("job",),
    "rps_job_last_run_timestamp_seconds": ("job",),
    "rps_ledger_ahead_of_clock_seconds": (),
    "rps_ledger_bytes": (),
    "rps_promotion_approval_age_seconds": ("model",),
    "rps_promotion_due_timestamp_seconds": (),
    "rps_webhook_behind_seconds": (),
    "rps_webhook_delivered_total": (),
    "rps_webhook_failures_total": (),
    "rps_writer_unanswered_events": (),
    "rps_projection_snapshots_discarded": (),
    "rps_projection_forks": (),
    "rps_registry_mismatches": (),
    "rps_models_loaded": (),
    "rps_build_info": ("version",),
    "rps_cross_family_dropped_total": ("reason",),
    **sample_labels("rps_cross_family_seconds", "histogram", ()),
    "rps_cross_family_waiting": (),
    "rps_cross_family_waiting_bytes": (),
    "process_cpu_seconds_total": (),
    "process_max_fds": (),
    "process_open_fds": (),
    "process_resident_memory_bytes": (),
    "process_start_time_seconds": (),
    "process_virtual_memory_bytes": (),
    "python_gc_collections_total": ("generation",),
    "python_gc_objects_collected_total": ("generation",),
    "python_gc_objects_uncollectable_total": ("generation",),
    "python_info": ("implementation", "major", "minor", "patchlevel", "version"),
}
"""The name of each sample of `?scope=process` -> its labels."""

CLOSED_VALUES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "rps_http_requests_total": {"status": STATUS_CLASSES},
}
"""Sample -> label -> its values, where a query is easily written for others."""

AUDIT_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "rps_audit_verified_position": (),
    "rps_audit_findings": (),
}
"""Samples of `rps-audit watch`, on its own port -> their labels."""

SCRAPE_SAMPLES: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
)
"""What Prometheus itself notes of every scrape."""

SCRAPE_LABELS: Final = frozenset({"job", "instance", "__name__"})
"""Labels that every sample has once it is stored."""


def stored(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a sample once Prometheus has stored it: it sets `job` and `instance` itself."""
    return tuple(f"exported_{label}" if label in SCRAPE_LABELS else label for label in labels)


BESIDE_THE_LEDGER: Final[dict[str, tuple[str, ...]]] = {
    **{name: stored(labels) for name, labels in (PROCESS_LABELS | AUDIT_LABELS).items()},
    **dict.fromkeys(SCRAPE_SAMPLES, ()),
}
"""Every sample that a query can find beside those of the ledger -> its labels, without those of the scrape."""

STORED_LABELS: Final[dict[str, tuple[str, ...]]] = {**SAMPLE_LABELS, **BESIDE_THE_LEDGER}
"""Every sample that a query can find -> its labels, without those of the scrape."""
