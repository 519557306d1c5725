"""Panels 223 to 231: the service itself. They show what a process says of itself, and start anew with it."""

from gameplay.observability.dashboard.visuals import About, Json, Place, query, right_axis, time_series
from gameplay.observability.promql import grouped, growth, vector
from gameplay.observability.site import PROCESS_JOB

RATE = "$__rate_interval"
JOB = f'job="{PROCESS_JOB}"'
TOP = 77


def operation_panels() -> list[Json]:
    return [
        _requests(),
        _latency(),
        _writer(),
        _failures(),
        _jobs(),
        _open_ends(),
        _memory(),
        _ledger(),
        _cross_family(),
    ]


def _requests() -> Json:
    rate = f"rate({vector('rps_http_requests_total', window=RATE)})"
    return time_series(
        About(
            223,
            "Requests per minute, by status class",
            "How many requests are answered, and how?",
            "5xx: the log has each of them with its request id, and a 503 says in its body what is missing. 4xx"
            " that grow: a client has changed, or a token has. None at all while games should be played: is the"
            " service reached (up, /healthz)?",
        ),
        Place(0, TOP, 8, 8),
        [query(f"{grouped('sum', 'status', rate)} * 60", "{{status}}")],
        defaults={"min": 0, "unit": "short"},
    )


def _latency() -> Json:
    buckets = grouped(
        "sum", "le, route", f"rate({vector('rps_http_request_duration_seconds_bucket', window=RATE)})"
    )
    return time_series(
        About(
            224,
            "Request latency, p95 by route",
            "How long do the slowest requests in twenty take?",
            "/play above a tenth of a second: the disk flushes slowly (225), or the machine is busy. A route for"
            " reading that is slow alone: the ledger has grown (230), or many ask at once. Read off buckets, so as"
            " coarse as they are.",
        ),
        Place(8, TOP, 8, 8),
        [query(f"histogram_quantile(0.95, {buckets})", "{{route}}")],
        defaults={"min": 0, "unit": "s"},
    )


def _writer() -> Json:
    return time_series(
        About(
            225,
            "Events waiting to be written",
            "Does the disk keep up with what is played?",
            "It is near zero where it does: all that waits is written by one commit. A queue that stays leads to"
            " 503 with words on events that wait; look at the disk's latency and at what else writes to it.",
        ),
        Place(16, TOP, 8, 8),
        [query(grouped("max", "instance", vector("rps_writer_unanswered_events")), "{{instance}}")],
        defaults={"min": 0, "unit": "short"},
    )


def _failures() -> Json:
    return time_series(
        About(
            226,
            "Jobs that failed or were missed ($window)",
            "Which jobs end in an error, or did not run when it was their time?",
            "/healthz names the job that fails and its error. Missed: the service was stopped, suspended or busy;"
            " what a cron line missed is run once afterwards.",
        ),
        Place(0, TOP + 8, 8, 8),
        [
            query(growth("rps_job_failures_total", window="$window", by="task"), "{{task}} failed"),
            query(
                growth("rps_job_missed_total", window="$window", by="exported_job"),
                "{{exported_job}} missed",
                ref="B",
            ),
        ],
        defaults={"min": 0, "unit": "short"},
    )


def _jobs() -> Json:
    last = grouped("max", "exported_job", vector("rps_job_last_run_timestamp_seconds"))
    return time_series(
        About(
            227,
            "Time since each job ran, and runs per hour",
            "Do the jobs run, and how often?",
            "Each but the cron lines' runs at least once a minute. One that only climbs hangs, or its thread has"
            " died: /healthz names it, and another start helps. Runs that all fail: 226 shows as many failures.",
        ),
        Place(8, TOP + 8, 8, 8),
        [
            query(f"time() - {last}", "{{exported_job}}"),
            query(growth("rps_job_runs_total", window="1h", by="task"), "{{task}} runs per hour", ref="B"),
        ],
        defaults={"min": 0, "unit": "s"},
        overrides=[right_axis("B", "runs per hour", {"unit": "short", "min": 0})],
    )


def _open_ends() -> Json:
    return time_series(
        About(
            228,
            "Registry mismatches, open plans, snapshots discarded",
            "Do registry and ledger agree, and did the read models fit?",
            "A mismatch: GET /models says what is wrong, and nothing is moved until it is repaired. A plan that"
            " stays open: MLflow or the store refuses. Snapshots discarded after an upgrade are expected;"
            " otherwise run rps-audit verify.",
        ),
        Place(16, TOP + 8, 8, 8),
        [
            query(grouped("max", "", vector("rps_registry_mismatches")), "mismatches"),
            query(grouped("sum", "", vector("rps_model_promotion_pending")), "open plans", ref="B"),
            query(
                grouped("max", "", vector("rps_projection_snapshots_discarded")), "snapshots discarded", ref="C"
            ),
        ],
        defaults={"min": 0, "unit": "short"},
    )


def _memory() -> Json:
    return time_series(
        About(
            229,
            "Memory and open files",
            "What does the process take of the machine?",
            "Memory that climbs for days is a fault to report: a process settles once its models are loaded."
            " Files near their limit (process_max_fds): many idle connections, which the service closes as it"
            " needs their places.",
        ),
        Place(0, TOP + 16, 8, 8),
        [
            query(grouped("max", "instance", vector("process_resident_memory_bytes", JOB)), "{{instance}}"),
            query(grouped("max", "instance", vector("process_open_fds", JOB)), "{{instance}} files", ref="B"),
        ],
        defaults={"min": 0, "unit": "bytes"},
        overrides=[right_axis("B", "files", {"unit": "short", "min": 0})],
    )


def _ledger() -> Json:
    return time_series(
        About(
            230,
            "Ledger: events, events per hour, and bytes",
            "How long is the ledger, how fast does it grow, and what does it take of the disk?",
            "A length that falls is another ledger, or one that was cut: rps-audit verify --expect. Growth without"
            " games (212): a program appends in a loop; rps-audit log says which events. Bytes that jump and fall"
            " back: the write-ahead log, which a long reader holds. No bytes: the ledger is on PostgreSQL.",
        ),
        Place(8, TOP + 16, 8, 8),
        [
            query(grouped("max", "", vector("rps_ledger_position")), "events"),
            query(growth("rps_ledger_events_total", window="1h", by="type"), "{{type}} per hour", ref="B"),
            query(grouped("max", "", vector("rps_ledger_bytes")), "bytes", ref="C"),
        ],
        defaults={"min": 0, "unit": "short"},
        overrides=[
            right_axis("B", "per hour", {"unit": "short", "min": 0}),
            right_axis("C", "bytes", {"unit": "bytes", "min": 0}),
        ],
    )


def _cross_family() -> Json:
    return time_series(
        About(
            231,
            "Cross-family tracking",
            "Are the rounds predicted by the other families, where RPS_CROSS_FAMILY_SHARE asks for it?",
            "Dropped rounds: the models do not keep up, and play comes first; lower the share. Rounds that wait"
            " and never fall: the task hangs, and /healthz names what died.",
        ),
        Place(16, TOP + 16, 8, 8),
        [
            query(grouped("sum", "", vector("rps_cross_family_waiting")), "waiting"),
            query(
                growth("rps_cross_family_dropped_total", window="$window", by="reason"),
                "dropped: {{reason}} ($window)",
                ref="B",
            ),
        ],
        defaults={"min": 0, "unit": "short"},
    )
