"""Alerts on the service itself: what it must always do, and what an auditor would ask about."""

from typing import Final

from gameplay.observability.alerts.rule import Alert
from gameplay.observability.promql import grouped, growth, vector
from gameplay.observability.site import PROCESS_JOB
from projections.metrics.series import LEDGER_JOB

CRON_JOBS: Final = "promotion|training|parity"
"""They run when their cron lines say, which may be once a week; all others run at least once a minute."""
JOB_LATE_SECONDS: Final = 900
ERRORS_SHARE: Final = 0.05
# They answer 503 as a matter of course, while the ledger is replayed; RpsTargetDown watches that.
CALLS_THAT_WAIT: Final = "/metrics|/readyz"
WEBHOOK_SECONDS: Final = 900
AHEAD_SECONDS: Final = 60
AUDIT_LATE: Final = "30m"
STARTED_SECONDS: Final = 3_600


def operation_alerts() -> list[Alert]:
    return [
        _down(),
        _errors(),
        _sealing(),
        _failing_job(),
        _dead_job(),
        _missed_job(),
        _registry(),
        _snapshots(),
        _forks(),
        _webhook(),
        _clock(),
        _findings(),
        _audit_late(),
    ]


def _down() -> Alert:
    jobs = (PROCESS_JOB, LEDGER_JOB)
    scraped = f'up{{job=~"{"|".join(jobs)}"}}'
    unknown = " or ".join(f'absent(up{{job="{job}"}}) - 1' for job in jobs)
    return Alert(
        "RpsTargetDown",
        f"({scraped} or {unknown})",
        "<",
        1,
        "",
        "5m",
        "critical",
        213,
        "{{ $labels.job }} is not scraped",
        "The service is down, still replays its ledger (/readyz), or no scrape is configured for it.",
    )


def _errors() -> Alert:
    of_users = f'route!~"{CALLS_THAT_WAIT}"'
    errors, requests = (
        growth("rps_http_requests_total", *of_status, of_users, window="15m", by="route")
        for of_status in (('status="5xx"',), ())
    )
    return Alert(
        "RpsServerErrors",
        f"{errors} / ({requests} > 0)",
        ">",
        ERRORS_SHARE,
        "",
        "5m",
        "warning",
        None,
        "{{ $labels.route }} answers with errors of the service",
        "More than 5 % of its answers in 15 minutes were 5xx. The log has each of them with its request id; a 503"
        " says in its body what is missing.",
    )


def _sealing() -> Alert:
    return Alert(
        "RpsSealingFails",
        growth("rps_job_failures_total", 'task="seal"', window="15m", by=""),
        ">",
        0,
        "",
        "0s",
        "critical",
        None,
        "Events are not sealed",
        "No checkpoint is signed for what is appended now: the key is lost or unreadable, the archive cannot be"
        " written, or the log differs from what was signed. The log line of the job seal says which, and"
        " `rps-audit status` shows the last seal.",
    )


def _failing_job() -> Alert:
    return Alert(
        "RpsJobFails",
        growth("rps_job_failures_total", 'task!="seal"', window="15m", by="task"),
        ">",
        0,
        "",
        "0s",
        "warning",
        None,
        "The job {{ $labels.task }} fails",
        "It ended in an error and is tried again at its next turn. The service's log has the reason.",
    )


def _dead_job() -> Alert:
    not_cron = f'exported_job!~"{CRON_JOBS}"'
    last = grouped("max", "exported_job", vector("rps_job_last_run_timestamp_seconds", not_cron))
    # A job that has never run has no last run, but a count of missed ones: its time begins with its process.
    started = vector("process_start_time_seconds", f'job="{PROCESS_JOB}"')
    never = f"0 * {vector('rps_job_missed_total', not_cron)} + on (instance) group_left () {started}"
    return Alert(
        "RpsJobDead",
        f"time() - ({last} or {grouped('max', 'exported_job', never)})",
        ">",
        JOB_LATE_SECONDS,
        "",
        "5m",
        "critical",
        None,
        "The job {{ $labels.exported_job }} no longer runs",
        "It should run every minute at least. `/healthz` names a thread that has died; a restart of the service"
        " starts the jobs again.",
    )


def _missed_job() -> Alert:
    return Alert(
        "RpsJobMissed",
        growth("rps_job_missed_total", window="1h", by="exported_job"),
        ">",
        0,
        "",
        "0s",
        "info",
        None,
        "The job {{ $labels.exported_job }} was not run when its time had come",
        "The service was stopped, suspended or busy then. What a cron line missed is run once afterwards.",
    )


def _registry() -> Alert:
    return Alert(
        "RpsRegistryDiffers",
        grouped("max", "", vector("rps_registry_mismatches")),
        ">",
        0,
        "",
        "15m",
        "warning",
        218,
        "The registry and the ledger disagree",
        "Aliases in MLflow that cannot be adopted, a plan that cannot be carried out, or a version of which the"
        " ledger knows another run. Nothing is moved until it is repaired; GET /models says what is wrong.",
    )


def _snapshots() -> Alert:
    discarded = grouped("max", "instance", vector("rps_projection_snapshots_discarded"))
    started = grouped("max", "instance", vector("process_start_time_seconds", f'job="{PROCESS_JOB}"'))
    return Alert(
        "RpsSnapshotsDiscarded",
        discarded,
        ">",
        0,
        # The number stays until the next start: without the gate the alert would fire for weeks.
        f"and on (instance) (time() - {started} < {STARTED_SECONDS})",
        "0s",
        "info",
        213,
        "Snapshots did not fit the ledger and were replayed",
        "After an upgrade or a change of METRICS_SINCE_DATE that is expected. Otherwise the database was changed"
        " or replaced: `rps-audit verify` says whether the log is whole.",
    )


def _forks() -> Alert:
    return Alert(
        "RpsLedgerForked",
        grouped("max", "instance", vector("rps_projection_forks")),
        ">",
        0,
        "",
        "0s",
        "critical",
        None,
        "The ledger is another one than was folded",
        "The database came back without what it had acknowledged: a failover without a synchronous standby, or a"
        " backup put back under a process that ran. Everything was folded again, and counters may have fallen."
        " `rps-audit verify --archive` says from which position on it differs. The alert ends with a restart.",
    )


def _webhook() -> Alert:
    return Alert(
        "RpsWebhookBehind",
        grouped("max", "instance", vector("rps_webhook_behind_seconds")),
        ">",
        WEBHOOK_SECONDS,
        "",
        "0s",
        "warning",
        None,
        "The webhook's receiver takes no events",
        "Promotion events wait for the address in RPS_WEBHOOK_URL, which is down or refuses them: the log says"
        " why. Nothing is lost; they are sent in order when it takes them.",
    )


def _clock() -> Alert:
    return Alert(
        "RpsLedgerAheadOfClock",
        grouped("max", "", vector("rps_ledger_ahead_of_clock_seconds")),
        ">",
        AHEAD_SECONDS,
        "",
        "5m",
        "warning",
        None,
        "The ledger is ahead of the clock",
        "The newest event is stamped later than now: the clock was wrong, then or now. Until it has caught up,"
        " all events bear that stamp. Correct the clock, or let the new time stand: `rps clock accept`.",
    )


def _findings() -> Alert:
    return Alert(
        "RpsAuditFindings",
        grouped("max", "", vector("rps_audit_findings")),
        ">",
        0,
        "",
        "0s",
        "critical",
        None,
        "The audit has found something",
        "`rps-audit watch` found an event, a seal or a decision that does not stand up. `rps-audit verify` and"
        " `rps-audit decisions` say which. Keep a copy of the database before anything else.",
    )


def _audit_late() -> Alert:
    # For a day the watch is missed when it ends. Where none has run, its series is absent and nothing fires.
    verified = f"max_over_time({vector('rps_audit_verified_position', window='1d')})"
    there = f"{vector('rps_ledger_position')} offset {AUDIT_LATE}"
    return Alert(
        "RpsAuditNotAdvancing",
        f"{grouped('max', '', there)} - {grouped('max', '', verified)}",
        ">",
        0,
        "",
        "5m",
        "warning",
        None,
        "Events are not verified",
        f"What was appended {AUDIT_LATE} ago is not verified yet: `rps-audit watch` does not run, cannot read the"
        " database, or does not keep up.",
    )
