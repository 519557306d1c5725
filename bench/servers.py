"""Real services for the bench: prepared data folders, `rps serve` in processes of their own, eight clients."""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.connection import Connection
from bench.ledgers import empty_ledger, fill_with_decisions, fill_with_games
from ledger.vocabulary import MOVES, POLICIES
from scripts.ports import free_port

RPS = Path(sys.executable).with_name("rps")
RPS_AUDIT = RPS.with_name("rps-audit")
FIRST_GAMES = 600
EVENTS = 300_000
FEW_DECISIONS, MANY_DECISIONS = 100, 10_000
READY_SECONDS_MAX = 60
CLIENTS = 8
HOST = "127.0.0.1"


class Load(NamedTuple):
    """What clients saw: rounds a second, median and 99th percentile of one `/play` in seconds, rounds."""

    rounds_per_second: float
    median_seconds: float
    p99_seconds: float
    rounds: int


def small_folder(folder: Path) -> Path:
    """A data folder just after set-up, with FEW_DECISIONS; made once."""
    made = folder / "small"
    if not made.exists():
        command = [str(RPS), "setup", "--games", str(FIRST_GAMES)]
        subprocess.run(command, env=_environment(made, 0), check=True, capture_output=True)
        ledger = empty_ledger(made / "ledger.db")
        fill_with_decisions(ledger, FEW_DECISIONS)
        ledger.engine.dispose()
    return made


def large_folder(folder: Path) -> Path:
    """The same with EVENTS events and MANY_DECISIONS; made once."""
    made = folder / "large"
    if not made.exists():
        shutil.copytree(small_folder(folder), made)
        ledger = empty_ledger(made / "ledger.db")
        fill_with_decisions(ledger, MANY_DECISIONS - FEW_DECISIONS)
        fill_with_games(ledger, EVENTS)
        ledger.engine.dispose()
        _seal(made)
    return made


@contextmanager
def service(data: Path, **variables: str) -> Iterator[str]:
    """A ready service over a data folder, with further variables; yields its address."""
    port = free_port()
    environment = {**_environment(data, port), **variables}
    process = subprocess.Popen([RPS, "serve"], env=environment, stderr=subprocess.DEVNULL)
    url = f"http://{HOST}:{port}"
    try:
        wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def play(url: str, rounds: int, clients: int = CLIENTS) -> Load:
    """So many clients play `rounds` rounds each; only the time of `/play` counts."""
    return play_on([url], rounds, clients)


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


def _seal(data: Path) -> None:
    """Seal what is there: a service's first seal over 300,000 events would be measured with what comes next."""
    database = f"sqlite:///{data / 'ledger.db'}"
    command = [str(RPS_AUDIT), "--database", database, "seal", "--key", str(data / "seal.key")]
    subprocess.run(command, check=True, capture_output=True)


def _environment(data: Path, port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RPS_")}
    return {
        **inherited,
        "RPS_DATA_DIR": str(data),
        "RPS_PORT": str(port),
        "RPS_PROMOTION_SCHEDULE": "off",
    }


def wait_until_ready(url: str) -> None:
    """Wait until a service is ready and has settled."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    else:
        raise TimeoutError(f"the service at {url} did not become ready")
    time.sleep(8)  # it compares its aliases with the registry's now, and importing MLflow takes a core for seconds
