"""Kill everything that can die in a cluster while games go on, and count what that has cost.

    make failover

etcd, three nodes of PostgreSQL under Patroni, three processes that play, two projectors and HAProxy, with the
configurations of `ops/cluster`. The exit status is 0 when nothing was lost or doubled, no scrape went back, the
audit has found nothing, and each pause was as short as it should be.
"""

import asyncio
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ledger.engines.database import disposing, open_engine
from ledger.events import RoundPlayed
from ledger.store import Ledger
from tests.failover.database import Database
from tests.failover.games import Clients, Seen, Told
from tests.failover.programs import INSTALL, USER, free_ports, missing
from tests.failover.service import Process, Product

CALM_SECONDS = 5.0
WATCHED_SECONDS_MORE = 4.0
"""How long an event is watched after its limit."""

console = Console(width=120)


@dataclass
class Cluster:
    """The database, the product on it, and everybody who plays."""

    database: Database
    product: Product
    seen: Seen


@dataclass(frozen=True)
class Event:
    """What is done to the cluster, and how long players may wait for it."""

    name: str
    limit_seconds: float
    happen: Callable[[Cluster], Callable[[], object]]
    """Does it, and returns what brings the cluster back to what it was."""


@dataclass(frozen=True)
class Pause:
    """The longest time without an acknowledgement around an event."""

    event: Event
    seconds: float

    @property
    def is_short(self) -> bool:
        return self.seconds <= self.event.limit_seconds


def main() -> int:
    """Run the drill."""
    if absent := missing():
        console.print(f"{', '.join(absent)} not found: {INSTALL}")
        return 2
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="rps-failover-"))
    shutil.chown(folder, USER)
    ports = free_ports()
    database = Database(folder, ports)
    product = Product(folder, database.url, ports)
    try:
        with console.status("PostgreSQL on three nodes; registry and model store"):
            _together(database.start, product.start_outside)
        with console.status("The first models, five processes"):
            product.start()
        console.print(f"The cluster is up after {time.monotonic() - began:.0f} s.")
        succeeded = _drill(Cluster(database, product, Seen()))
    except BaseException:
        console.print(f"[red]It did not come to an end; the logs are in {folder}[/red]")
        raise
    finally:
        product.kill()
        database.kill()
    if succeeded:
        shutil.rmtree(folder)
    else:
        console.print(f"The logs are in {folder}")
    console.print(f"{time.monotonic() - began:.0f} s in all.")
    return 0 if succeeded else 1


def _together(*starts: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(starts)) as pool:
        for started in [pool.submit(start) for start in starts]:
            started.result()


def _drill(cluster: Cluster) -> bool:
    pauses = _while_games_go_on(cluster, lambda: [_watched(cluster, event) for event in EVENTS])
    lost, doubled = _compare(cluster.product.environment["RPS_DATABASE_URL"], cluster.seen.told)
    with console.status("A full audit"):
        audit = cluster.product.audit()
    seen, endings = cluster.seen, cluster.product.endings()
    _show(pauses)
    findings = {
        "rounds acknowledged": len(seen.told),
        "lost": lost,
        "doubled": doubled,
        "scrapes": seen.scrapes,
        "scrapes that went back": len(seen.went_back),
        "answers that no failover explains": len(seen.unexpected),
        "processes that ended by themselves": len(endings),
    }
    for name, number in findings.items():
        console.print(f"{name:>36}: {number:,}")
    console.print(f"{'refused and made again':>36}: {dict(sorted(seen.refusals.items()))}")
    for problem in (*endings, *seen.unexpected[:5]):
        console.print(f"[red]{problem}[/red]")
    console.print(audit.strip(), highlight=False)
    whole = not (lost or doubled or seen.went_back or seen.unexpected or endings)
    return whole and all(pause.is_short for pause in pauses)


def _while_games_go_on(cluster: Cluster, act: Callable[[], list[Pause]]) -> list[Pause]:
    loop = asyncio.new_event_loop()
    clients = Clients(cluster.product.url, cluster.seen)
    playing = threading.Thread(target=lambda: loop.run_until_complete(clients.run()), name="players")
    playing.start()
    try:
        return act()
    finally:
        loop.call_soon_threadsafe(clients.end)
        playing.join()
        loop.close()


def _watched(cluster: Cluster, event: Event) -> Pause:
    with console.status(event.name):
        cluster.database.settle()
        time.sleep(CALM_SECONDS)  # a failover right after another one meets a primary that trusts any standby
        began = time.monotonic()
        restore = event.happen(cluster)
        time.sleep(event.limit_seconds + WATCHED_SECONDS_MORE)
        pause = Pause(event, cluster.seen.longest_gap(began - 1.0, time.monotonic()))
        restore()
    console.print(f"{event.name}: {pause.seconds:.1f} s")
    return pause


def _kill_primary(cluster: Cluster) -> Callable[[], object]:
    cluster.database.primary().kill_postgres()
    return lambda: None  # Patroni starts it again, as a standby


def _lose_node(cluster: Cluster) -> Callable[[], object]:
    node = cluster.database.primary()
    node.kill()
    return node.start


def _kill_player(cluster: Cluster) -> Callable[[], object]:
    return _killed(cluster.product.players[0])


def _kill_projector(cluster: Cluster) -> Callable[[], object]:
    return _killed(cluster.product.projectors[0])


def _killed(process: Process) -> Callable[[], object]:
    process.kill()

    def restore() -> None:
        process.start()
        process.wait()

    return restore


def _switch_over(cluster: Cluster) -> Callable[[], object]:
    database = cluster.database
    database.primary().switch_over(database.standby().name)
    return lambda: None


EVENTS = (
    Event("kill -9 of the primary", 6.0, _kill_primary),
    Event("loss of the primary's node", 12.0, _lose_node),
    Event("kill -9 of a process that plays", 3.0, _kill_player),
    Event("kill -9 of a projector", 1.0, _kill_projector),
    Event("switchover", 5.0, _switch_over),
)


def _compare(url: str, told: Iterable[Told]) -> tuple[int, int]:
    """How many acknowledged rounds the ledger lacks or has otherwise, and how many it has twice."""
    stored: dict[tuple[str, int], tuple[str, str]] = {}
    times: Counter[tuple[str, int]] = Counter()
    with disposing(open_engine(url)) as engine:
        ledger = Ledger(engine)
        for page in ledger.pages():
            for entry in page:
                if isinstance(event := ledger.decode(entry), RoundPlayed):
                    times[event.game_id, event.round] += 1
                    stored[event.game_id, event.round] = (event.user_move, event.bot_move)
    lost = [one for one in told if stored.get((one.game_id, one.round_no)) != (one.user_move, one.bot_move)]
    return len(lost), sum(count - 1 for count in times.values())


def _show(pauses: Iterable[Pause]) -> None:
    table = Table(title="The longest time without an acknowledgement")
    for heading in ("event", "measured", "at most"):
        table.add_column(heading, justify="left" if heading == "event" else "right")
    for pause in pauses:
        colour = "green" if pause.is_short else "red"
        table.add_row(
            pause.event.name, f"[{colour}]{pause.seconds:.1f} s[/{colour}]", f"{pause.event.limit_seconds:.0f} s"
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
