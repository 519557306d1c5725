"""Processes that play on one PostgreSQL: what a request costs where three share them, against one."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.folders import small_folder
from bench.ledgers import empty_ledger
from bench.postgresql import server
from bench.process import Served, module_command
from bench.scenario import Outcome, compare
from bench.servers import play_on, wait_until_ready
from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from ledger.verification.copying import copy_ledger
from scripts.children import Child
from scripts.ports import free_port

ROUNDS = 250
PROCESSES = 3


def cost(folder: Path) -> Outcome:
    """CPU of a request with eight clients, each of whom stays on one of three processes, against one process."""
    with server() as running, running.ledger() as url, ExitStack() as stack:
        data = small_folder(folder)
        with disposing(open_engine(url)) as engine:
            source = empty_ledger(data / "ledger.db")
            copy_ledger(source, Ledger(engine))  # with its seals, which the checkpoints beside the models know of
            source.engine.dispose()
        started = [
            stack.enter_context(_player(folder / f"player-{number}", url, data / "models"))
            for number in range(PROCESSES + 1)
        ]
        for player, process in started:
            wait_until_ready(player.url, process)
        players = [player for player, _ in started]
        return compare(
            "PostgreSQL, CPU of a /play, three processes",
            lambda: _cost(players[1:]),
            lambda: _cost(players[:1]),
            wanted="at most",
            target=1.5,
            unit="ms",
            scale=1_000,
        )


def _cost(players: Sequence[Served]) -> float:
    before = sum(player.cpu_seconds() for player in players)
    load = play_on([player.url for player in players], ROUNDS)
    return (sum(player.cpu_seconds() for player in players) - before) / load.rounds


@contextmanager
def _player(data: Path, database_url: str, models: Path) -> Iterator[tuple[Served, Child]]:
    port = free_port()
    command = module_command("bench.player", data, database_url, models.as_uri(), str(port))
    process = Child(command, stderr=subprocess.DEVNULL)
    try:
        yield Served(f"http://127.0.0.1:{port}", process.pid), process
    finally:
        process.terminate()
        process.wait()


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {"postgresql-cluster-cost": cost}
