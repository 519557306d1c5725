"""`/metrics`, computed from the read models, against prometheus_client's own text of plain gauges; in CPU time."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bench.ledgers import bootstrap, empty_ledger, fill_with_decisions, fill_with_games
from bench.scenario import Outcome, compare, cpu_seconds
from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from projections.metrics.exposition import Exposition
from projections.read_models.all import ReadModels

SCRAPES = 100
NEW_EVENTS = 1_000


class _Sides(NamedTuple):
    """The ledger's exposition, and a registry with as many samples."""

    ledger: Ledger
    read_models: ReadModels
    exposition: Exposition
    plain: CollectorRegistry
    samples: int


def idle(folder: Path) -> Outcome:
    """With no new events."""
    sides = _sides(folder / "metrics-idle.db")
    return compare(
        f"/metrics, {sides.samples} samples, no new events",
        lambda: cpu_seconds(lambda: sides.exposition.render(), calls=SCRAPES),
        lambda: _plain_seconds(sides.plain),
        wanted="at most",
        target=0.2,
        unit="ms",
        scale=1_000,
    )


def busy(folder: Path) -> Outcome:
    """With a thousand new events of another process, which are read and folded before it answers."""
    path = folder / "metrics-busy.db"
    sides = _sides(path)
    with disposing(open_engine(f"sqlite:///{path}")) as engine:
        return _with_new_events(sides, Ledger(engine), lambda: None, "new events")


def kept_up(folder: Path) -> Outcome:
    """With a thousand that a service has appended itself, whose event loop folds them batch by batch."""
    sides = _sides(folder / "metrics-kept-up.db")
    projector = sides.read_models.projector

    def keep_up() -> None:
        projector.keep_up(2 * NEW_EVENTS)
        assert projector.position == sides.ledger.head().position

    return _with_new_events(sides, sides.ledger, keep_up, "events of its own")


def _with_new_events(sides: _Sides, writer: Ledger, follow: Callable[[], None], what: str) -> Outcome:
    def render() -> float:
        before = sides.ledger.head().position
        fill_with_games(writer, before + NEW_EVENTS, seed=before)
        follow()
        spent = cpu_seconds(lambda: sides.exposition.render())
        assert f"rps_ledger_position {sides.ledger.head().position}.0".encode() in sides.exposition.render()
        return spent

    return compare(
        f"/metrics, {sides.samples} samples, {NEW_EVENTS:,} {what}",
        render,
        lambda: _plain_seconds(sides.plain),
        wanted="at most",
        target=1.2,
        unit="ms",
        scale=1_000,
    )


def _sides(path: Path) -> _Sides:
    ledger = empty_ledger(path)
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
    return _Sides(ledger, read_models, exposition, plain, len(samples))


def _plain_seconds(plain: CollectorRegistry) -> float:
    return cpu_seconds(lambda: generate_latest(plain), calls=SCRAPES)


SCENARIOS = {"metrics-idle": idle, "metrics-busy": busy, "metrics-kept-up": kept_up}
