"""What a client waits for: `/metrics`, the history, `/play`."""

import json
import timeit
import urllib.request
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bench import append, bare
from bench.ledgers import bootstrap, empty_ledger, fill_with_decisions, fill_with_games
from bench.scenario import Outcome, compare, seconds
from bench.servers import MANY_DECISIONS, Load, large_folder, play, service, small_folder
from projections.metrics.exposition import Exposition
from projections.read_models.all import ReadModels
from scripts.ports import free_port

ROUNDS = 250
SCRAPES = 100
REQUESTS = 60


def metrics(folder: Path) -> Outcome:
    """`/metrics` with no new events, against `generate_latest` over as many plain gauges."""
    ledger = empty_ledger(folder / "metrics.db")
    bootstrap(ledger)
    fill_with_games(ledger, 5_000)
    fill_with_decisions(ledger, 20)
    read_models = ReadModels(ledger)
    read_models.projector.start()
    exposition = Exposition(read_models, CollectorRegistry())
    samples = [
        sample
        for family in text_string_to_metric_families(exposition.render().decode())
        for sample in family.samples
    ]
    plain = CollectorRegistry()
    gauge = Gauge("plain", "As many samples as the ledger has.", ("number",), registry=plain)
    for number, sample in enumerate(samples):
        gauge.labels(str(number)).set(sample.value)
    assert generate_latest(plain).count(b"\nplain{") == len(samples) > 250
    return compare(
        f"/metrics, {len(samples)} samples, no new events",
        lambda: timeit.timeit(lambda: exposition.render(), number=SCRAPES) / SCRAPES,
        lambda: timeit.timeit(lambda: generate_latest(plain), number=SCRAPES) / SCRAPES,
        wanted="at most",
        target=0.5,
        unit="ms",
        scale=1_000,
    )


def history(folder: Path) -> Outcome:
    """`/internal/promotion/history?limit=20` with 10,000 decisions, against 100."""
    with service(small_folder(folder)) as small, service(large_folder(folder)) as large:
        assert len(_rows(large, 200)) == 200
        assert _rows(large, 1)[0]["id"] > MANY_DECISIONS
        return compare(
            "history?limit=20, 10,000 decisions",
            lambda: seconds(lambda: _ask(large)) / REQUESTS,
            lambda: seconds(lambda: _ask(small)) / REQUESTS,
            wanted="at most",
            target=1.3,
            unit="ms",
            scale=1_000,
        )


def play_size(folder: Path) -> Outcome:
    """`/play` with 300,000 events in the ledger, against none to speak of."""
    with service(small_folder(folder)) as small, service(large_folder(folder)) as large:
        return compare(
            "/play p50, 300,000 events",
            lambda: play(large, ROUNDS).median_seconds,
            lambda: play(small, ROUNDS).median_seconds,
            wanted="at most",
            target=1.15,
            unit="ms",
            scale=1_000,
        )


def play_rate(folder: Path) -> Outcome:
    """`/play` with four predictions and eight clients, against a bare route on the same server."""
    with service(small_folder(folder)) as small, bare.served(free_port()) as floor:
        return compare(
            "/play, 8 clients",
            lambda: _checked(small).rounds_per_second,
            lambda: play(floor, ROUNDS).rounds_per_second,
            wanted="at least",
            target=0.15,
            unit="rounds/s",
        )


def play_latency(folder: Path) -> Outcome:
    """The median of `/play` with one client, against a bare route and a bare durable commit of five rows."""
    with service(small_folder(folder)) as small, bare.served(free_port()) as floor:
        return compare(
            "/play p50, one client",
            lambda: play(small, ROUNDS, clients=1).median_seconds,
            lambda: play(floor, ROUNDS, clients=1).median_seconds + append.commit_seconds(folder),
            wanted="at most",
            target=2.5,
            unit="ms",
            scale=1_000,
        )


def play_tail(folder: Path) -> Outcome:
    """The 99th percentile of `/play` with eight clients, against its median."""
    with service(small_folder(folder)) as small:
        return compare(
            "/play p99, 8 clients",
            lambda: play(small, ROUNDS).p99_seconds,
            lambda: play(small, ROUNDS).median_seconds,
            wanted="at most",
            target=2,
            unit="ms",
            scale=1_000,
        )


def _checked(url: str) -> Load:
    """A load whose every round is found in the metrics afterwards, with four predictions for each model round."""
    before = _sums(url)
    load = play(url, ROUNDS)
    rounds, model_rounds, predictions = (now - then for now, then in zip(_sums(url), before, strict=True))
    assert rounds == 8 * ROUNDS, f"{rounds} rounds are on record"
    assert predictions == 4 * model_rounds > 0
    return load


def _sums(url: str) -> tuple[float, float, float]:
    text = urllib.request.urlopen(f"{url}/metrics?scope=ledger", timeout=10).read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(*names: str) -> float:
        return sum(sample.value for sample in samples if sample.name in names)

    rounds = total("rps_action_wins_total", "rps_action_losses_total", "rps_action_ties_total")
    return rounds, total("rps_action_predictions_total"), total("rps_model_predictions_by_alias_total")


def _ask(url: str) -> None:
    for _ in range(REQUESTS):
        _rows(url, 20)


def _rows(url: str, limit: int) -> list[dict[str, int]]:
    address = f"{url}/internal/promotion/history?limit={limit}"
    rows: list[dict[str, int]] = json.load(urllib.request.urlopen(address, timeout=10))
    assert len(rows) == limit
    return rows
