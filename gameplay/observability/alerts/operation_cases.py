"""When the alerts on the service itself fire, and when they must not."""

from itertools import permutations

from gameplay.observability.alerts.case import Case
from gameplay.observability.alerts.operation import (
    AHEAD_SECONDS,
    JOB_LATE_SECONDS,
    STARTED_SECONDS,
    WEBHOOK_SECONDS,
)
from gameplay.observability.promql import vector
from gameplay.observability.site import PROCESS_JOB
from projections.metrics.series import LEDGER_JOB


def operation_cases() -> list[Case]:
    return [
        *_downs(),
        _errors(),
        _sealing(),
        _failing(),
        _dead(),
        _missed(),
        _registry(),
        *_snapshots(),
        _forks(),
        _webhook(),
        _clock(),
        _findings(),
        *_late_audits(),
    ]


def _downs() -> list[Case]:
    name = "RpsTargetDown"
    process, ledger = {"job": PROCESS_JOB, "instance": "pod"}, {"job": LEDGER_JOB, "instance": "ledger"}
    up = {job["job"]: f'up{{job="{job["job"]}",instance="{job["instance"]}"}}' for job in (process, ledger)}
    return [
        Case(
            name,
            "one target is down, then up again",
            {up[PROCESS_JOB]: "1 0x9 1x20", up[LEDGER_JOB]: "1x30"},
            {5: [], 10: [process], 20: []},
        ),
        Case(
            name,
            "the other one is down",
            {up[PROCESS_JOB]: "1x30", up[LEDGER_JOB]: "1 0x29"},
            {5: [], 10: [ledger]},
        ),
        *(
            Case(name, f"{missing} is not scraped at all", {up[there]: "1x30"}, {0: [], 10: [{"job": missing}]})
            for there, missing in permutations((PROCESS_JOB, LEDGER_JOB))
        ),
    ]


def _errors() -> Case:
    requests = "rps_http_requests_total"
    play, ready = 'route="/play"', 'route="/readyz"'
    return Case(
        "RpsServerErrors",
        "one of a hundred answers to /play is an error, for half an hour one of ten, then none; /readyz waits",
        {
            vector(requests, 'method="POST"', play, 'status="2xx"'): "0+99x30 2970+90x30 5670+100x60",
            vector(requests, 'method="POST"', play, 'status="5xx"'): "0+1x30 30+10x30 330x60",
            vector(requests, 'method="POST"', 'route="/start_game"', 'status="4xx"'): "0+10x120",
            vector(requests, 'method="GET"', ready, 'status="5xx"'): "0+10x120",
        },
        {30: [], 40: [], 45: [{"route": "/play"}], 60: [{"route": "/play"}], 80: []},
    )


def _sealing() -> Case:
    failures = "rps_job_failures_total"
    return Case(
        "RpsSealingFails",
        "sealing fails once, another job goes on failing",
        {vector(failures, 'task="seal"'): "0x9 1x30", vector(failures, 'task="catch-up"'): "0+1x40"},
        {5: [], 10: [{}], 20: [{}], 35: []},
    )


def _failing() -> Case:
    failures = "rps_job_failures_total"
    return Case(
        "RpsJobFails",
        "a promotion fails once, sealing goes on failing, which has an alert of its own",
        {
            vector(failures, 'task="promotion"'): "0x9 1x30",
            vector(failures, 'task="catch-up"'): "0x40",
            vector(failures, 'task="seal"'): "0+1x40",
        },
        {5: [], 10: [{"task": "promotion"}], 20: [{"task": "promotion"}], 35: []},
    )


def _dead() -> Case:
    last = "rps_job_last_run_timestamp_seconds"
    late = JOB_LATE_SECONDS // 60
    pod = (f'job="{PROCESS_JOB}"', 'instance="pod"')
    return Case(
        "RpsJobDead",
        "seal ran for the last time at the beginning, abandon never; catch-up runs on; promotion is due daily",
        {
            **{
                vector("rps_job_missed_total", *pod, f'exported_job="{job}"'): f"5x{4 * late}"
                for job in ("seal", "abandon", "catch-up", "promotion")
            },
            vector("process_start_time_seconds", *pod): f"0x{4 * late}",
            vector("process_start_time_seconds", 'job="node"', pod[1]): f"{60 * late}x{4 * late}",
            vector(last, *pod, 'exported_job="seal"'): f"0x{4 * late}",
            vector(last, *pod, 'exported_job="catch-up"'): f"0+60x{4 * late}",
            vector(last, *pod, 'exported_job="promotion"'): f"0x{4 * late}",
        },
        {late: [], late + 5: [], late + 10: [{"exported_job": "seal"}, {"exported_job": "abandon"}]},
    )


def _missed() -> Case:
    missed = "rps_job_missed_total"
    return Case(
        "RpsJobMissed",
        "one promotion was missed, no training",
        {
            vector(missed, 'exported_job="promotion"'): "0x9 1x90",
            vector(missed, 'exported_job="training"'): "0x100",
        },
        {5: [], 10: [{"exported_job": "promotion"}], 60: [{"exported_job": "promotion"}], 90: []},
    )


def _registry() -> Case:
    differs = vector("rps_registry_mismatches", f'job="{PROCESS_JOB}"', 'instance="pod"')
    return Case("RpsRegistryDiffers", "one family differs", {differs: "0 0 1x60"}, {15: [], 20: [{}]})


def _snapshots() -> list[Case]:
    name = "RpsSnapshotsDiscarded"
    discarded, started = "rps_projection_snapshots_discarded", "process_start_time_seconds"
    pod = (f'job="{PROCESS_JOB}"', 'instance="pod"')
    hour = STARTED_SECONDS // 60
    return [
        Case(
            name,
            "one did not fit at the start: the alert fires for an hour",
            {vector(discarded, *pod): f"1x{hour + 20}", vector(started, *pod): f"0x{hour + 20}"},
            {0: [{"instance": "pod"}], hour - 5: [{"instance": "pod"}], hour + 10: []},
        ),
        Case(
            name,
            "the pod with the discarded snapshots is old, another one has only just started",
            {
                vector(discarded, *pod): f"1x{hour + 20}",
                vector(started, *pod): f"0x{hour + 20}",
                vector(discarded, pod[0], 'instance="new"'): f"0x{hour + 20}",
                vector(started, pod[0], 'instance="new"'): f"{STARTED_SECONDS}x{hour + 20}",
                vector(started, 'job="rps-audit"', 'instance="pod"'): f"{STARTED_SECONDS}x{hour + 20}",
            },
            {hour + 10: []},
        ),
    ]


def _forks() -> Case:
    pods = [{"instance": "one"}, {"instance": "two"}]
    return Case(
        "RpsLedgerForked",
        "one process has seen it, then both",
        {
            vector("rps_projection_forks", f'job="{PROCESS_JOB}"', 'instance="one"'): "0x9 1x50",
            vector("rps_projection_forks", f'job="{PROCESS_JOB}"', 'instance="two"'): "0x19 1x40",
        },
        {5: [], 15: pods[:1], 25: pods},
    )


def _clock() -> Case:
    return Case(
        "RpsLedgerAheadOfClock",
        "the ledger is ahead by the threshold, then by more",
        {vector("rps_ledger_ahead_of_clock_seconds"): f"{AHEAD_SECONDS}x10 {AHEAD_SECONDS + 1}x30"},
        {10: [], 15: [], 20: [{}]},
    )


def _webhook() -> Case:
    return Case(
        "RpsWebhookBehind",
        "the oldest event waits for a quarter of an hour, then for longer, and is taken",
        {
            vector(
                "rps_webhook_behind_seconds", 'instance="a"'
            ): f"{WEBHOOK_SECONDS}x10 {WEBHOOK_SECONDS + 60}x9 0x20"
        },
        {5: [], 15: [{"instance": "a"}], 30: []},
    )


def _findings() -> Case:
    return Case(
        "RpsAuditFindings",
        "the watch finds one event that was changed",
        {vector("rps_audit_findings"): "0x9 1x20"},
        {5: [], 10: [{}], 20: [{}]},
    )


def _late_audits() -> list[Case]:
    name = "RpsAuditNotAdvancing"
    position, verified = vector("rps_ledger_position"), vector("rps_audit_verified_position")
    return [
        Case(
            name,
            "one event is not verified, then it is",
            {position: "7x19 8x130", verified: "7x79 8x70"},
            {45: [], 50: [], 55: [{}], 75: [{}], 85: []},
        ),
        Case(
            name,
            "the watch is always a little behind",
            {position: "50+10x150", verified: "0+10x150"},
            {100: []},
        ),
        Case(
            name,
            "the watch has ended: its last position is known for a day",
            {position: "0+5x340", verified: "0+5x9 _x330"},
            {40: [], 100: [{}], 1480: [{}], 1500: []},
            step=5,
        ),
        Case(name, "there is no watch", {position: "0+1x150"}, {100: []}),
    ]
