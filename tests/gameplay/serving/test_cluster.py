"""Several processes over one ledger, on each kind of database: games by turns, ticks, a server that goes away."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.serving.schedule import Schedule
from gameplay.setting_values import Role
from ledger.engines.database import disposing, open_engine
from ledger.events import CycleDecided, RoundPlayed
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES, MOVES, POLICIES
from scripts.children import Child
from scripts.ports import free_port
from tests.builders import aliases_assigned, training_completed
from tests.gameplay.clocks import DAILY, FIRING, at_head
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import ok, samples, serving, wait_until
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import EVERY_ENGINE, WHEEL, require
from tests.postgresql import serving as serving_postgresql

pytestmark = EVERY_ENGINE

RPS = Path(sys.executable).with_name("rps")


def set_up(database: str) -> None:
    """The aliases of every family, as the set-up leaves them."""
    with disposing(open_engine(database)) as engine:
        ledger = Ledger(engine)
        for family in FAMILIES:
            trained = [
                training_completed(model_type=family, alias=alias, model_version=version)
                for version, alias in enumerate(ALIASES, start=1)
            ]
            ledger.append(f"training-{family}", trained, 0)
            ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)


@pytest.fixture
def settings_of(database: str, data_dir: Path, tmp_path: Path) -> Callable[..., Settings]:
    """The settings of one process: a folder of its own, the ledger and the models of all."""
    set_up(database)

    def settings(name: str, role: Role = "all", **more: Any) -> Settings:
        folder = tmp_path / name
        values = {"promotion_schedule": None, "seal_key": tmp_path / "seal.key", **more}
        return Settings(
            data_dir=folder,
            database_url=database,
            model_store_url=f"file://{data_dir / 'models'}",
            role=role,
            **values,
        )

    return settings


class Turns:
    """A client that is sent to one process after the other, as by a balancer that knows no games."""

    def __init__(self, clients: list[TestClient]) -> None:
        self._next = itertools.cycle(clients)
        self._lock = threading.Lock()
        self.statuses: list[int] = []

    def post(self, path: str, body: object) -> dict[str, Any]:
        with self._lock:
            client = next(self._next)
        response = client.post(path, json=body)
        self.statuses.append(response.status_code)
        return dict(ok(response))


def play_games(turns: Turns, number: int, games: int) -> list[tuple[str, int]]:
    """Games without a `round`, to their ends; how many rounds each had by the answers."""
    played = []
    for _ in range(games):
        game_id = turns.post("/start_game", {"policy": POLICIES[number % 3]})["game_id"]
        for rounds in itertools.count(1):
            answer = turns.post("/play", {"game_id": game_id, "user_move": MOVES[(rounds + number) % 3]})
            assert answer["round"] == rounds
            if answer["finished"]:
                played.append((game_id, rounds))
                break
    return played


def test_games_by_turns_without_a_round_are_never_refused(
    settings_of: Callable[..., Settings], registry: FaultyRegistry, database: str
) -> None:
    with ExitStack() as stack:
        plays = [stack.enter_context(serving(settings_of(f"play-{n}", "play"), registry)) for n in range(3)]
        projector = stack.enter_context(serving(settings_of("projector", "projector"), registry))
        turns = Turns(plays)
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda number: play_games(turns, number, games=3), range(4))]
        assert set(turns.statuses) == {200}
        shown = samples(projector)
    played = dict(itertools.chain.from_iterable(found))
    with disposing(open_engine(database)) as engine:
        ledger = Ledger(engine)
        events = [ledger.decode(entry) for page in ledger.pages() for entry in page]
    rounds = [(event.game_id, event.round) for event in events if isinstance(event, RoundPlayed)]
    assert len(rounds) == len(set(rounds)) == sum(played.values())
    assert sum(value for name, value in shown.items() if name.startswith("rps_games_total")) == len(played)
    assert not any(value for name, value in shown.items() if name.startswith("rps_model_fallback_total"))


def test_two_processes_with_a_schedule_decide_one_cycle_a_tick(
    settings_of: Callable[..., Settings], registry: FaultyRegistry
) -> None:
    with ExitStack() as stack:
        cores = [opened(stack, settings_of(f"one-{n}", promotion_schedule=DAILY), registry) for n in range(2)]
        clocks = at_head(cores[0])
        registries = [CollectorRegistry() for _ in cores]
        schedules = [
            Schedule(core, one, clocks=clocks.clocks) for core, one in zip(cores, registries, strict=True)
        ]
        for schedule in schedules:
            schedule.start()
            stack.callback(schedule.shutdown)
        for tick in range(1, 4):
            clocks.reaches(FIRING + timedelta(days=tick - 1))
            for schedule in schedules:
                schedule.look()
            wait_until(lambda: all(last_run(one) == clocks.clocks.wall() for one in registries))
            assert len(cycles(cores[0])) == tick * len(FAMILIES)
    failed = [one.get_sample_value("rps_job_failures_total", {"task": "promotion"}) for one in registries]
    assert failed == [0, 0]


def opened(stack: ExitStack, settings: Settings, registry: FaultyRegistry) -> Core:
    core = open_core(settings, registry=registry)
    stack.callback(core.close)
    core.read_models.projector.start()
    return core


def cycles(core: Core) -> list[CycleDecided]:
    events = [core.ledger.decode(entry) for page in core.ledger.pages() for entry in page]
    return [event for event in events if isinstance(event, CycleDecided)]


def last_run(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("rps_job_last_run_timestamp_seconds", {"job": "promotion"})


class Visitor(threading.Thread):
    """Plays until it is told to stop, each move again with its `round` until it is answered by a 200."""

    def __init__(self, client: httpx2.Client, number: int) -> None:
        super().__init__()
        self.answers: list[dict[str, Any]] = []
        self.refused: list[httpx2.Response] = []
        self.lost_connections = 0
        self._client = client
        self._number = number
        self._ending = threading.Event()

    def end(self) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        while (started := self._answered("/start_game", {"policy": POLICIES[self._number % 3]})) is not None:
            for round_no in itertools.count(1):
                move = MOVES[(round_no + self._number) % 3]
                body = {"game_id": started["game_id"], "user_move": move, "round": round_no}
                answer = self._answered("/play", body)
                if answer is None:
                    return
                self.answers.append(answer)
                if answer["finished"]:
                    break

    def _answered(self, path: str, body: object) -> dict[str, Any] | None:
        while not self._ending.is_set():
            try:
                response = self._client.post(path, json=body)
            except httpx2.TransportError:
                self.lost_connections += 1
                return None
            if response.status_code == 200:
                return dict(response.json())
            self.refused.append(response)
            time.sleep(0.05)
        return None


@contextmanager
def playing(clients: list[Any]) -> Iterator[list[Visitor]]:
    visitors = [Visitor(client, number) for number, client in enumerate(clients)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        for visitor in visitors:
            visitor.end()


def answered(visitors: list[Visitor]) -> int:
    return sum(len(visitor.answers) for visitor in visitors)


def assert_all_stored(database: str, visitors: list[Visitor]) -> None:
    with disposing(open_engine(database)) as engine:
        ledger = Ledger(engine)
        events = [ledger.decode(entry) for page in ledger.pages() for entry in page]
    stored = [(event.game_id, event.round, event.bot_move) for event in events if isinstance(event, RoundPlayed)]
    assert len(stored) == len({one[:2] for one in stored}), "no round twice"
    told = {(answer["game_id"], answer["round"], answer["bot_move"]) for one in visitors for answer in one.answers}
    assert told <= set(stored)


def falls(before: dict[str, float], after: dict[str, float]) -> list[str]:
    return [name for name, value in before.items() if "_total" in name and after.get(name, 0.0) < value]


@pytest.mark.engines(WHEEL)
def test_a_server_that_restarts_costs_players_a_wait_and_nothing_else(
    data_dir: Path, tmp_path: Path, registry: FaultyRegistry
) -> None:
    with serving_postgresql(require(WHEEL)) as server, server.ledger() as database:
        set_up(database)
        store = f"file://{data_dir / 'models'}"
        settings = Settings(
            data_dir=tmp_path / "data", database_url=database, model_store_url=store, promotion_schedule=None
        )
        with serving(settings, registry) as client, playing([client] * 3) as visitors:
            wait_until(lambda: answered(visitors) > 60)
            before, seen = samples(client), answered(visitors)
            server.stop("immediate")
            server.start()
            wait_until(lambda: answered(visitors) > seen + 60)
            for visitor in visitors:
                visitor.end()
            after = samples(client)
            assert {one.status_code for visitor in visitors for one in visitor.refused} <= {503}
            assert all(one.headers["Retry-After"] for visitor in visitors for one in visitor.refused)
            assert not falls(before, after)
            assert ok(client.get("/readyz"))["ready"]
        assert_all_stored(database, visitors)


@contextmanager
def process(folder: Path, database: str, store: Path) -> Iterator[tuple[httpx2.Client, Child]]:
    """A real `rps serve`, killed at the end or before."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RPS_")},
        "RPS_DATA_DIR": str(folder),
        "RPS_DATABASE_URL": database,
        "RPS_MODEL_STORE_URL": f"file://{store}",
        "RPS_SHARED": "1",
        "RPS_PORT": str(port),
        "RPS_PROMOTION_SCHEDULE": "off",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",  # no server listens there
    }
    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client,
        Child([RPS, "serve"], env=environment, stderr=subprocess.DEVNULL) as running,
    ):
        try:
            running.wait_until(f"the service in {folder}", lambda: is_ready(client), PATIENCE_SECONDS)
            yield client, running
            running.check(f"the service in {folder}")
        finally:
            running.kill()


def is_ready(client: httpx2.Client) -> bool:
    with suppress(httpx2.TransportError):  # it does not listen yet
        return client.get("/readyz").status_code == 200
    return False


@pytest.mark.engines(WHEEL)  # what a killed process leaves in a file is test_restart's
def test_of_two_processes_one_is_killed_and_the_other_shows_all_that_was_answered(
    database: str, data_dir: Path, tmp_path: Path
) -> None:
    set_up(database)
    store = data_dir / "models"
    with (
        process(tmp_path / "one", database, store) as (doomed, running),
        process(tmp_path / "other", database, store) as (other, _),
        playing([doomed, doomed, other]) as visitors,
    ):
        wait_until(lambda: answered(visitors) > 60)
        before = samples(doomed)
        running.kill()
        after = samples(other)
        assert not falls(before, after)
        seen = len(visitors[2].answers)
        wait_until(lambda: len(visitors[2].answers) > seen + 20)
        for visitor in visitors:
            visitor.end()
        for visitor in visitors[:2]:  # what the dead one has answered, the other knows
            last = visitor.answers[-1]
            body = {"game_id": last["game_id"], "user_move": last["user_move"], "round": last["round"]}
            assert ok(other.post("/play", json=body)) == last
    assert_all_stored(database, visitors)
