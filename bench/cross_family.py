"""What it costs `/play` that the other families predict along: for one game in ten, and for all.

The reference is the same service with a share of 0. At a share of 1 a round's events are thirteen instead of
five, so it cannot be free; what counts is that nothing is dropped unseen and that answers stay in time.
"""

import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.folders import small_folder
from bench.process import Served
from bench.scenario import Outcome, compare
from bench.servers import play, service

ROUNDS = 250
CLIENTS = 8
PATIENCE_SECONDS = 20
SERIES = "rps_cross_family"


def rate(folder: Path, share: str, target: float) -> Outcome:
    """Rounds a second of eight clients, with a share of cross-family games, against none."""
    with _services(folder, share) as (without, with_share):
        return compare(
            f"/play, cross-family share {share}",
            lambda: _checked(with_share, share),
            lambda: play(without, ROUNDS).rounds_per_second,
            wanted="at least",
            target=target,
            unit="rounds/s",
        )


def median(folder: Path, share: str, target: float) -> Outcome:
    """The median time of `/play` of eight clients, with a share of cross-family games, against none."""
    with _services(folder, share) as (without, with_share):
        return compare(
            f"/play p50, cross-family share {share}",
            lambda: play(with_share, ROUNDS).median_seconds,
            lambda: play(without, ROUNDS).median_seconds,
            wanted="at most",
            target=target,
            unit="ms",
            scale=1_000,
        )


@contextmanager
def _services(folder: Path, share: str) -> Iterator[tuple[Served, Served]]:
    """One without a share and one with it, each over a folder of its own: the share stands in the ledger."""
    data, copied = small_folder(folder), folder / f"share-{share}"
    if not copied.exists():
        shutil.copytree(data, copied)
    with service(data) as without, service(copied, RPS_CROSS_FAMILY_SHARE=share) as with_share:
        yield without, with_share


SCENARIOS = {
    "cross-family-0": partial(rate, share="0", target=0.85),
    "cross-family-0.1": partial(rate, share="0.1", target=0.75),
    "cross-family-1": partial(rate, share="1", target=0.35),
    "cross-family-1-latency": partial(median, share="1", target=3.0),
}


def _checked(served: Served, share: str) -> float:
    """A load after which every chosen round has been predicted or counted as dropped."""
    before = _recorded(served)
    load = play(served, ROUNDS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _samples(served)["rps_cross_family_waiting"]:
        assert time.monotonic() < deadline, "rounds wait for the other families for ever"
        time.sleep(0.05)
    recorded = _recorded(served) - before
    assert (recorded == 0) if share == "0" else (recorded > 0), f"{recorded} rounds were predicted or dropped"
    return load.rounds_per_second


def _recorded(served: Served) -> float:
    samples = _samples(served)
    return samples["rps_cross_family_seconds_count"] + samples["rps_cross_family_dropped_total"]


def _samples(served: Served) -> dict[str, float]:
    """The sums of the process's own cross-family samples, by name."""
    text = urllib.request.urlopen(f"{served.url}/metrics?scope=process", timeout=10).read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(SERIES):
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
