"""A load on a running service, for anybody to repeat: `python -m bench.load URL`.

Closed loop: each client sends its next move when it has its answer. Open loop (`--rate`): moves are due at fixed
times whatever the service does, and a move's time counts from when it was due, so that a service that stalls does
not hide behind its own slowness.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple
from urllib.parse import urlsplit

import click
from rich.progress import Progress
from rich.table import Table

from bench.connection import Connection
from ledger.vocabulary import MOVES, POLICIES
from projections.commands.console import output

MIX = "mix"
TICK_SECONDS = 0.2


class Answered(NamedTuple):
    """One `/play`: how long it took from when it was due, in seconds, and its HTTP status; 0 for none."""

    seconds: float
    status: int


class Pace:
    """When the next move is due: at once in a closed loop, at fixed intervals in an open one."""

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._began = time.perf_counter()
        self._next = count()

    async def due(self) -> float:
        """Wait until the next move is due; when that was, by `perf_counter`."""
        if not self._interval:
            return time.perf_counter()
        due = self._began + next(self._next) * self._interval
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        return due


class Player:
    """Game after game over one connection."""

    def __init__(self, connection: Connection, policies: Sequence[str], seed: int) -> None:
        self._connection = connection
        self._policies = policies
        self._chance = random.Random(seed)
        self._game_id: str | None = None

    async def sit_down(self) -> int:
        """Start a game where none is under way; 200, or the status that refused it. Raises OSError, EOFError."""
        if self._game_id is not None:
            return 200
        status, started = await self._connection.post(
            "/start_game", {"policy": self._chance.choice(self._policies)}
        )
        if status == 200:
            self._game_id = str(started["game_id"])
        return status

    async def move(self) -> int:
        """Play one round; the status of the answer. Raises OSError, EOFError."""
        body = {"game_id": self._game_id, "user_move": self._chance.choice(MOVES)}
        status, played = await self._connection.post("/play", body)
        if status != 200 or played["finished"]:
            self._game_id = None
        return status


async def load(
    url: str, *, clients: int, seconds: float, policies: Sequence[str], rate: float | None = None
) -> list[Answered]:
    """What so many clients were answered in so many seconds; `rate` is in moves a second, of all together."""
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    pace, ends = Pace(rate), time.perf_counter() + seconds
    answers: list[Answered] = []

    async def play(number: int) -> None:
        connection = Connection(host, port)
        player = Player(connection, policies, seed=number)
        while time.perf_counter() < ends:
            due = time.perf_counter()
            try:
                status = await player.sit_down()
                if status == 200:
                    due = await pace.due()
                    status = await player.move()
            except (OSError, EOFError):
                connection.close()
                status = 0
            answers.append(Answered(time.perf_counter() - due, status))
            if status != 200:
                await asyncio.sleep(TICK_SECONDS)  # a service that refuses is not asked without a pause
        connection.close()

    await asyncio.gather(*(play(number) for number in range(clients)))
    return answers


def summary(answers: Sequence[Answered], seconds: float) -> Table:
    """Rounds a second, the times of those that were answered, and the errors by status."""
    times = sorted(one.seconds * 1_000 for one in answers if one.status == 200)
    errors = Counter(one.status for one in answers if one.status != 200)
    table = Table("rounds/s", "p50, ms", "p99, ms", "max, ms", "errors")
    shown = ", ".join(f"{many} x {status or 'no answer'}" for status, many in sorted(errors.items()))
    if times:
        p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
        figures = (statistics.median(times), p99, times[-1])
        table.add_row(f"{len(times) / seconds:,.0f}", *(f"{one:.1f}" for one in figures), shown or "none")
    else:
        table.add_row("0", "", "", "", shown or "no move was made")
    return table


async def _shown(
    url: str, clients: int, rate: float | None, seconds: float, policies: Sequence[str]
) -> list[Answered]:
    with Progress(console=output()) as progress:
        bar = progress.add_task("playing", total=seconds)

        async def tick() -> None:
            while not progress.finished:
                await asyncio.sleep(TICK_SECONDS)
                progress.advance(bar, TICK_SECONDS)

        ticking = asyncio.create_task(tick())
        answers = await load(url, clients=clients, seconds=seconds, policies=policies, rate=rate)
        ticking.cancel()
        progress.update(bar, completed=seconds)
    return answers


@click.command()
@click.argument("url")
@click.option("--clients", default=8, show_default=True, help="Players at once, each on a connection of its own.")
@click.option(
    "--rate", type=float, help="Moves a second that are due, answered or not; none: one after the other."
)
@click.option("--seconds", default=10.0, show_default=True, help="How long.")
@click.option(
    "--policy", type=click.Choice([MIX, *POLICIES]), default=MIX, show_default=True, help="Whom they play against."
)
def main(url: str, clients: int, rate: float | None, seconds: float, policy: str) -> None:
    """Play against a running service and say how it bore that.

    Example: python -m bench.load http://127.0.0.1:8080 --clients 8 --rate 500 --seconds 10
    """
    policies = POLICIES if policy == MIX else (policy,)
    answers = asyncio.run(_shown(url, clients, rate, seconds, policies))
    output().print(summary(answers, seconds))
    sys.exit(0 if any(one.status == 200 for one in answers) else 1)


if __name__ == "__main__":
    main()
