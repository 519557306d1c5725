"""What a scrape shows of the jobs, from how their runs ended."""

from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from prometheus_client import CollectorRegistry

from gameplay.serving.job_metrics import JobMetrics

DUE = datetime(2026, 11, 27, 9, 10, tzinfo=UTC)


def test_a_run_that_fails_is_a_run_and_one_that_was_missed_is_none() -> None:
    process = CollectorRegistry()
    metrics = JobMetrics(process, ["seal", "abandon"], DUE.timestamp)

    for code in (EVENT_JOB_EXECUTED, EVENT_JOB_ERROR, EVENT_JOB_EXECUTED):
        metrics.count_run(JobExecutionEvent(code, "seal", "default", DUE))
    metrics.count_missed("abandon", 4)

    counted = {
        task: [process.get_sample_value(f"rps_job_{what}_total", {"task": task}) for what in ("runs", "failures")]
        for task in ("seal", "abandon")
    }
    assert counted == {"seal": [3, 1], "abandon": [0, 0]}
    assert process.get_sample_value("rps_job_missed_total", {"job": "abandon"}) == 4
    assert process.get_sample_value("rps_job_last_run_timestamp_seconds", {"job": "abandon"}) is None
