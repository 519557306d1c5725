"""A promotion report over HTTP, against a bare read of the registry and a bare commit."""

import json
import shutil
import statistics
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import append
from bench.folders import small_folder
from bench.ledgers import ASSIGNMENT
from bench.process import Served
from bench.scenario import Outcome, compare, seconds
from bench.servers import service
from gameplay.config import Settings
from gameplay.models.artifacts import REGISTERED_NAMES
from gameplay.telemetry import disable_telemetry
from ledger.vocabulary import Decision, Family

REPORTS = 20
FAMILY: Family = "xgboost"
BODY = {
    "model_type": FAMILY,
    "z_statistic": 1.5,
    "p_value": 0.07,
    "reorder_applied": False,
    "reason": "B wins more games.",
    "source": "bench",
}


def report(folder: Path, decision: Decision) -> Outcome:
    """The median of twenty; one that swaps has the registry asked for the runs of four versions."""
    data = folder / decision
    shutil.copytree(small_folder(folder), data)
    disable_telemetry()
    from mlflow import MlflowClient

    registry = MlflowClient(Settings(data_dir=data).mlflow_tracking_uri)
    read = partial(registry.get_model_version, REGISTERED_NAMES[FAMILY], str(ASSIGNMENT.B))
    with service(data) as served:
        return compare(
            f"a report of {decision}",
            lambda: _median_seconds(lambda: _report(served, decision)),
            lambda: _median_seconds(read) + append.commit_seconds(folder),
            wanted="at most",
            target=2,
            unit="ms",
            scale=1_000,
        )


SCENARIOS = {
    "report-retain": partial(report, decision="retain_production"),
    "report-swap": partial(report, decision="swap_production_b"),
}


def _median_seconds(action: Callable[[], object]) -> float:
    return statistics.median(seconds(action) for _ in range(REPORTS))


def _report(served: Served, decision: Decision) -> None:
    request = urllib.request.Request(
        f"{served.url}/internal/promotion/report",
        json.dumps({**BODY, "decision": decision}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        recorded = json.load(answer)
    assert recorded["decision"] == decision
    assert decision != "swap_production_b" or recorded["production_games_since_swap"] == 0
