"""Real services for the bench, `rps serve` in processes of their own, and eight clients."""

import asyncio
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench.connection import Connection
from bench.folders import RPS, environment
from bench.process import Served
from ledger.vocabulary import MOVES, POLICIES
from scripts.children import Child
from scripts.ports import free_port

READY_SECONDS_MAX = 60
CLIENTS = 8
HOST = "127.0.0.1"


class Load(NamedTuple):
    """What clients saw: rounds a second, median and 99th percentile of one `/play` in seconds, rounds."""

    rounds_per_second: float
    median_seconds: float
    p99_seconds: float
    rounds: int


@contextmanager
def service(data: Path, **variables: str) -> Iterator[Served]:
    """A ready service over a data folder, with further variables."""
    port = free_port()
    process = Child([RPS, "serve"], env={**environment(data, port), **variables}, stderr=subprocess.DEVNULL)
    served = Served(f"http://{HOST}:{port}", process.pid)
    try:
        wait_until_ready(served.url, process)
        yield served
    finally:
        process.terminate()
        process.wait()


def play(served: Served, rounds: int, clients: int = CLIENTS) -> Load:
    """So many clients play `rounds` rounds each; only the time of `/play` counts."""
    return play_on([served.url], rounds, clients)


def play_on(urls: Sequence[str], rounds: int, clients: int = CLIENTS) -> Load:
    """As `play`, with each client on one of several services."""
    ports = [int(url.rpartition(":")[2]) for url in urls]
    return asyncio.run(_play(ports, rounds, clients))


async def _play(ports: Sequence[int], rounds: int, clients: int) -> Load:
    began = time.perf_counter()
    each = await asyncio.gather(
        *(_client(ports[number % len(ports)], number, rounds) for number in range(clients))
    )
    spent = time.perf_counter() - began
    seconds = sorted(second for client in each for second in client)
    p99 = seconds[int(len(seconds) * 0.99)]
    return Load(len(seconds) / spent, statistics.median(seconds), p99, len(seconds))


async def _client(port: int, number: int, rounds: int) -> list[float]:
    connection = Connection(HOST, port)
    seconds: list[float] = []
    game_id: str | None = None
    policy = POLICIES[number % len(POLICIES)]
    while len(seconds) < rounds:
        if game_id is None:
            started = await _post(connection, "/start_game", {"policy": policy})
            game_id = str(started["game_id"])
        move = MOVES[(len(seconds) * 7 + number) % len(MOVES)]
        began = time.perf_counter()
        played = await _post(connection, "/play", {"game_id": game_id, "user_move": move})
        seconds.append(time.perf_counter() - began)
        if played["finished"]:
            game_id = None
    connection.close()
    return seconds


async def _post(connection: Connection, path: str, body: dict[str, str]) -> dict[str, Any]:
    status, answer = await connection.post(path, body)
    assert status == 200, answer
    return answer


def wait_until_ready(url: str, process: Child) -> None:
    """Wait until a service is ready and has settled."""

    def is_ready() -> bool:
        # Whatever it is: no answer in time is one too, where the disk has still to take what a row before wrote.
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5):
            return True
        return False

    process.wait_until(f"the service at {url}", is_ready, READY_SECONDS_MAX)
    time.sleep(8)  # it compares its aliases with the registry's now, and importing MLflow takes a core for seconds
