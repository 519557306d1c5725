"""What a scrape shows of the jobs: runs, failures, runs that were missed, and when each has run last."""

from collections.abc import Callable, Iterable

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from prometheus_client import CollectorRegistry, Counter, Gauge


class JobMetrics:
    """Counts for a closed set of jobs. A job that has not run yet has no time of its last run."""

    def __init__(self, process: CollectorRegistry, jobs: Iterable[str], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._runs = Counter(
            "rps_job_runs", "Runs of scheduled jobs that ended, well or not.", ("task",), registry=process
        )
        self._failures = Counter(
            "rps_job_failures", "Scheduled jobs that ended in an error.", ("task",), registry=process
        )
        self._missed = Counter(
            "rps_job_missed",
            "Runs that did not take place: the process stood still, the run before went on, or an outage did.",
            ("job",),
            registry=process,
        )
        self._last_run = Gauge(
            "rps_job_last_run_timestamp_seconds", "When a job's last run ended.", ("job",), registry=process
        )
        for job in jobs:
            self._runs.labels(job)
            self._failures.labels(job)
            self._missed.labels(job)

    def count_run(self, event: JobExecutionEvent) -> None:
        """Take in how a run ended."""
        self._runs.labels(event.job_id).inc()
        self._last_run.labels(event.job_id).set(self._clock())
        if event.code == EVENT_JOB_ERROR:
            self._failures.labels(event.job_id).inc()

    def count_missed(self, job: str, runs: int) -> None:
        """Take in that runs did not take place."""
        self._missed.labels(job).inc(runs)
