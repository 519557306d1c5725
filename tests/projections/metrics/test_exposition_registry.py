"""The two halves of `/metrics` are one scrape: no name twice, and no sample that tells of a process's start."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ledger.store import Ledger
from projections.metrics.exposition import FORMATS, TEXT, Exposition
from projections.metrics.series import LEDGER_SERIES
from projections.read_models.all import ReadModels


def test_a_metric_of_the_process_cannot_take_a_ledger_series_name(ledger: Ledger) -> None:
    process = CollectorRegistry()
    Exposition(ReadModels(ledger), process)

    for series in LEDGER_SERIES:
        with pytest.raises(ValueError, match="Duplicated timeseries"):
            Gauge(series.name, "twice", registry=process)


def test_a_name_that_was_taken_before_is_found_too(ledger: Ledger) -> None:
    process = CollectorRegistry()
    Counter("rps_games", "twice", registry=process)

    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Exposition(ReadModels(ledger), process)


@pytest.mark.parametrize("content_type", FORMATS)
def test_no_created_samples_come_from_the_process(ledger: Ledger, content_type: str) -> None:
    process = CollectorRegistry()
    Counter("rps_asked", "asked", ("by",), registry=process).labels("somebody").inc()
    Histogram("rps_waited_seconds", "waited", registry=process).observe(0.5)
    exposition = Exposition(ReadModels(ledger), process)

    for scope in (None, "process"):
        body = exposition.render(content_type, scope)
        assert b"_created" not in body
        assert b'rps_asked_total{by="somebody"} 1.0' in body
        assert b"rps_waited_seconds_sum 0.5" in body


def test_a_metric_whose_own_name_ends_so_is_kept(ledger: Ledger) -> None:
    process = CollectorRegistry()
    Gauge("rps_bots_created", "how many", registry=process).set(3)

    body = Exposition(ReadModels(ledger), process).render(TEXT, "process")

    assert b"rps_bots_created 3.0" in body
