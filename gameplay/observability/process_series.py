"""What a scrape finds beside the ledger's series: what a process says of itself, and what Prometheus notes.

Dashboards and docs may name these; the ledger's own are in `projections.metrics.series`.
"""

from typing import Final

from projections.metrics.series import SAMPLE_LABELS, sample_labels

PROCESS_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "rps_http_requests_total": ("method", "route", "status"),
    **sample_labels("rps_http_request_duration_seconds", "histogram", ("route",)),
    "rps_job_failures_total": ("task",),
    "rps_writer_unanswered_events": (),
    "rps_projection_snapshots_discarded": (),
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

STORED_LABELS: Final[dict[str, tuple[str, ...]]] = {
    **SAMPLE_LABELS,
    **PROCESS_LABELS,
    **dict.fromkeys(SCRAPE_SAMPLES, ()),
}
"""Every sample that a query can find -> its labels, without those of the scrape."""
