"""What a million events change for a service: its restart, a move, a page of the history, its memory."""

import json
import urllib.request
from pathlib import Path

from bench.folders import MILLION, million_folder, small_folder
from bench.ledgers import empty_ledger
from bench.process import Served, ran_module
from bench.scenario import RUNS_OF_LOADS, Outcome, compare, seconds
from bench.servers import play, service
from gameplay.config import Settings
from projections.read_models.all import ReadModels

ROUNDS = 250
REQUESTS = 60
HISTORY_LIMIT = 20


def restart(folder: Path) -> Outcome:
    """From process start to projections at the head, with a snapshot, against an empty ledger."""
    data, empty = million_folder(folder), folder / "empty"
    empty_ledger(empty / "ledger.db").engine.dispose()
    head = have_snapshot(data)
    return compare(
        "restart to ready, 1,000,000 events",
        lambda: seconds(lambda: start(data, head)),
        lambda: seconds(lambda: start(empty, 0)),
        wanted="at most",
        target=1.3,
        unit="ms",
        scale=1_000,
    )


def move(folder: Path) -> Outcome:
    """The median of `/play` with eight clients, against 10,000 events."""
    with service(small_folder(folder)) as small, service(million_folder(folder)) as large:
        return compare(
            "/play p50, 1,000,000 events",
            lambda: play(large, ROUNDS).median_seconds,
            lambda: play(small, ROUNDS).median_seconds,
            wanted="at most",
            target=1.1,
            unit="ms",
            scale=1_000,
            runs=RUNS_OF_LOADS,
        )


def history(folder: Path) -> Outcome:
    """A page of `/internal/promotion/history` among some 3,000 decisions, against 100 in 10,000 events."""
    with service(small_folder(folder)) as small, service(million_folder(folder)) as large:
        assert len(_rows(large, 200)) == 200
        assert _rows(large, 1)[0]["id"] > MILLION - 1_000
        return compare(
            f"history?limit={HISTORY_LIMIT}, 1,000,000 events",
            lambda: seconds(lambda: ask_history(large, REQUESTS)) / REQUESTS,
            lambda: seconds(lambda: ask_history(small, REQUESTS)) / REQUESTS,
            wanted="at most",
            target=1.2,
            unit="ms",
            scale=1_000,
        )


def memory(folder: Path) -> Outcome:
    """What a service holds after some games and pages, against 10,000 events."""
    return compare(
        "memory of a service, 1,000,000 events",
        lambda: _memory_bytes(million_folder(folder)),
        lambda: _memory_bytes(small_folder(folder)),
        wanted="at most",
        target=1.3,
        unit="MiB",
        scale=1 / (1 << 20),
        warm_up=False,
    )


SCENARIOS = {
    "million-restart": restart,
    "million-play": move,
    "million-history": history,
    "million-memory": memory,
}


def have_snapshot(data: Path) -> int:
    """Take the snapshots at the head, wherever games of another row have brought it."""
    ledger = empty_ledger(data / "ledger.db")
    read_models = ReadModels(ledger, since_us=Settings().metrics_since_us)
    read_models.projector.start()
    read_models.projector.save(every=1)
    ledger.engine.dispose()
    return read_models.projector.position


def start(data: Path, head: int) -> None:
    """Start, to projections at the head, in a process of its own."""
    assert int(ran_module("bench.start", data).output) == head, "the projections did not reach the head"


def _memory_bytes(data: Path) -> float:
    with service(data) as served:
        play(served, ROUNDS)
        ask_history(served, REQUESTS)
        return served.memory_bytes()


def ask_history(served: Served, requests: int) -> None:
    """Ask for the newest page of the history, so many times."""
    for _ in range(requests):
        _rows(served, HISTORY_LIMIT)


def _rows(served: Served, limit: int) -> list[dict[str, int]]:
    address = f"{served.url}/internal/promotion/history?limit={limit}"
    rows: list[dict[str, int]] = json.load(urllib.request.urlopen(address, timeout=10))
    assert len(rows) == limit
    return rows
