"""`/play` of a running service: rounds a second, its median and its tail, alone and beside other requests."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench import append, bare
from bench.folders import small_folder
from bench.process import Served
from bench.scenario import RUNS_OF_LOADS, Outcome, compare
from bench.servers import CLIENTS, Load, play, service

ROUNDS = 250
ROUNDS_BESIDE = 600
"""So many that others ask more than once meanwhile."""
BESIDE = ("/metrics", "/internal/promotion/history?limit=20", "/decisions")
BESIDE_SECONDS = 1.0


def rate(folder: Path) -> Outcome:
    """With four predictions and eight clients, against a bare route on the same server."""
    with service(small_folder(folder)) as small, bare.served() as floor:
        return compare(
            "/play, 8 clients",
            lambda: _checked(small).rounds_per_second,
            lambda: play(floor, ROUNDS).rounds_per_second,
            wanted="at least",
            target=0.15,
            unit="rounds/s",
            runs=RUNS_OF_LOADS,
        )


def latency(folder: Path) -> Outcome:
    """The median with one client, against a bare route and a bare durable commit of five rows."""
    with service(small_folder(folder)) as small, bare.served() as floor:
        return compare(
            "/play p50, one client",
            lambda: play(small, ROUNDS, clients=1).median_seconds,
            lambda: play(floor, ROUNDS, clients=1).median_seconds + append.commit_seconds(folder),
            wanted="at most",
            target=2.5,
            unit="ms",
            scale=1_000,
            runs=RUNS_OF_LOADS,
        )


def tail(folder: Path) -> Outcome:
    """The 99th percentile with eight clients, against its median."""
    with service(small_folder(folder)) as small:
        return compare(
            "/play p99, 8 clients",
            lambda: play(small, ROUNDS).p99_seconds,
            lambda: play(small, ROUNDS).median_seconds,
            wanted="at most",
            target=2,
            unit="ms",
            scale=1_000,
            runs=RUNS_OF_LOADS,
        )


def beside(folder: Path) -> Outcome:
    """Rounds a second while a scrape, a history page and a page of the console come each second, against alone."""
    with service(small_folder(folder)) as small:
        return compare(
            "/play, 8 clients, beside a scrape and two pages a second",
            lambda: _disturbed(small),
            lambda: play(small, ROUNDS_BESIDE).rounds_per_second,
            wanted="at least",
            target=0.95,
            unit="rounds/s",
            runs=RUNS_OF_LOADS,
        )


SCENARIOS = {"play-rate": rate, "play-latency": latency, "play-tail": tail, "play-beside": beside}


def _checked(served: Served) -> Load:
    """A load whose every round is found in the metrics afterwards, with four predictions for each model round."""
    before = _sums(served)
    load = play(served, ROUNDS)
    rounds, model_rounds, predictions = (now - then for now, then in zip(_sums(served), before, strict=True))
    assert rounds == CLIENTS * ROUNDS, f"{rounds} rounds are on record"
    assert predictions == 4 * model_rounds > 0
    return load


def _sums(served: Served) -> tuple[float, float, float]:
    text = urllib.request.urlopen(f"{served.url}/metrics?scope=ledger", timeout=10).read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(*names: str) -> float:
        return sum(sample.value for sample in samples if sample.name in names)

    rounds = total("rps_action_wins_total", "rps_action_losses_total", "rps_action_ties_total")
    return rounds, total("rps_action_predictions_total"), total("rps_model_predictions_by_alias_total")


def _disturbed(served: Served) -> float:
    with _asked(served) as turns:
        load = play(served, ROUNDS_BESIDE)
    assert len(turns) > 1, "nothing came beside"
    return load.rounds_per_second


@contextmanager
def _asked(served: Served) -> Iterator[list[float]]:
    """Ask for all of BESIDE each second while the block runs; yields when that was done."""
    ended, turns = threading.Event(), list[float]()

    def ask() -> None:
        while not ended.is_set():
            due = time.monotonic() + BESIDE_SECONDS
            for path in BESIDE:
                request = urllib.request.Request(served.url + path, headers={"Accept": "text/html, */*"})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.read()
            turns.append(due)
            ended.wait(due - time.monotonic())

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield turns
    finally:
        ended.set()
        asking.join()
