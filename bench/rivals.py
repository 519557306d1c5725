"""Durable appends by other event stores, which `requirements-bench.txt` has; a missing wheel leaves a row out."""

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from bench.append import CALLS, EVENTS, EVENTS_A_CALL, TASKS, OurAppends
from bench.scenario import LeftOutError, Outcome, compare, seconds
from ledger.codec import Codec
from scripts.children import Child
from scripts.ports import free_port

SAVES = 2_000
ANSWER_SECONDS_MAX = 30.0
UMADB = Path(sys.executable).with_name("umadb")
"""The server's program, which its wheel puts beside the interpreter."""


def eventsourcing(folder: Path) -> Outcome:
    """64 tasks of ours, against the `eventsourcing` library's SQLite recorder, which commits at each save."""
    _demand("eventsourcing")
    ours, numbers = OurAppends(folder), count()
    return compare(
        "durable append, against eventsourcing's SQLite recorder",
        ours.rate,
        lambda: _recorder_rate(folder / f"eventsourcing-{next(numbers)}.db", _stored(ours)),
        wanted="at least",
        target=8,
        unit="events/s",
    )


def umadb(folder: Path) -> Outcome:
    """64 tasks of ours, five events a call, against as many callers of UmaDB's server."""
    _demand("umadb")
    _demand_program(UMADB)
    ours, numbers = OurAppends(folder), count()
    return compare(
        "durable append, against UmaDB's server, 64 callers",
        ours.rate,
        lambda: _server_rate(folder / f"umadb-{next(numbers)}", _stored(ours)),
        wanted="as it is",
        target=None,
        unit="events/s",
    )


SCENARIOS = {"append-eventsourcing": eventsourcing, "append-umadb": umadb}


def _demand(package: str) -> None:
    if find_spec(package) is None:
        raise LeftOutError(f"{package} is not installed: `make bench` installs it where there is a wheel")


def _demand_program(path: Path) -> None:
    if not path.exists():
        raise LeftOutError(f"{path.name} has no program beside the interpreter, though its package is installed")


def _stored(ours: OurAppends) -> list[tuple[str, bytes]]:
    """The type and payload of each event of a call: what others store is as large as what we store."""
    encoded = map(Codec().encode, ours.call)
    return [(event_type, payload) for event_type, _, payload in encoded]


def _recorder_rate(path: Path, stored: list[tuple[str, bytes]]) -> float:
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    datastore = SQLiteDatastore(str(path))
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    stream = uuid.uuid4()
    events = [StoredEvent(stream, version, *stored[version % len(stored)]) for version in range(SAVES)]

    def save() -> None:
        for event in events:
            recorder.insert_events([event])

    spent = seconds(save)
    assert recorder.max_notification_id() == SAVES
    datastore.close()
    return SAVES / spent


def _server_rate(folder: Path, stored: list[tuple[str, bytes]]) -> float:
    import umadb

    together = threading.Barrier(TASKS + 1)

    def call(client: Any, number: int) -> None:
        events = [umadb.Event(event_type=kind, data=payload, tags=[f"bench-{number}"]) for kind, payload in stored]
        together.wait()
        for _ in range(CALLS):
            client.append(events)

    with _umadb_server(folder) as url, ThreadPoolExecutor(TASKS) as pool:
        clients = [umadb.Client(url) for _ in range(TASKS)]
        calls = [pool.submit(call, client, number) for number, client in enumerate(clients)]
        together.wait()
        began = time.perf_counter()
        for one in calls:
            one.result()
        spent = time.perf_counter() - began
        head = clients[0].head()
        assert len(stored) == EVENTS_A_CALL
        assert head is not None
        assert head >= EVENTS
        for client in clients:
            client.close()
    return EVENTS / spent


@contextmanager
def _umadb_server(folder: Path) -> Iterator[str]:
    import umadb

    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    process = Child(
        [UMADB, "--listen", address, "--db-path", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                umadb.Client(f"http://{address}").close()
                break
            except umadb.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()
