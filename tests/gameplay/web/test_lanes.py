"""What hangs in one lane takes no place from the others, and no caller waits without a limit."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import anyio
import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.refusals import TooMany, Unavailable
from gameplay.web.lanes import Lane, ShortLane
from gameplay.web.limits import Limits
from ledger.engines.database import file_of
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import HISTORY_PATH, REPORT_PATH, ok, play, service_behind, serving, start
from tests.patience import PATIENCE_SECONDS

CROWD = 12
HURRIED = Limits(wait_seconds=0.05)

Send = Callable[[TestClient], httpx2.Response]


def reload(client: TestClient) -> httpx2.Response:
    return client.post("/models/reload")


def report(client: TestClient) -> httpx2.Response:
    """A report of a version that the ledger does not know yet, so the registry is asked."""
    moved = [{"alias": "shadow2", "version": 6, "previous_version": 4}]
    body = {"model_type": "xgboost", "decision": "alias_reorder", "alias_assignments": moved}
    return client.post(REPORT_PATH, json=body)


def training(client: TestClient) -> httpx2.Response:
    """A training of a version, of which the registry is asked whether it exists."""
    body = {"model_type": "xgboost", "status": "success", "model_version": 5}
    return client.post("/internal/training/complete", json=body)


class Hanging:
    """A registry whose next call hangs until it is released; calls after it do as well."""

    def __init__(self, registry: FaultyRegistry) -> None:
        self._reached, self._release = threading.Event(), threading.Event()
        for number in range(1, CROWD + 1):
            registry.at_call(number, self._hang)

    def _hang(self) -> None:
        self._reached.set()
        assert self._release.wait(PATIENCE_SECONDS)

    def wait(self) -> None:
        assert self._reached.wait(PATIENCE_SECONDS)

    def release(self) -> None:
        self._release.set()


@pytest.fixture
def hurried(data_dir: Path, registry: FaultyRegistry) -> Iterator[TestClient]:
    settings = Settings(data_dir=data_dir, promotion_schedule=None)
    with serving(settings, registry, HURRIED) as client:
        yield client


@pytest.mark.parametrize("send", [reload, report, training])
def test_a_registry_that_hangs_holds_nothing_up_but_what_asks_it(
    hurried: TestClient, registry: FaultyRegistry, send: Send
) -> None:
    hanging = Hanging(registry)
    with ThreadPoolExecutor(CROWD) as pool:
        crowd: list[Future[httpx2.Response]] = [pool.submit(send, hurried) for _ in range(CROWD)]
        hanging.wait()

        for path in ("/healthz", "/readyz", "/metrics", "/models", HISTORY_PATH):
            assert hurried.get(path).status_code == 200
        game_id = start(hurried, player_name="Ada")["game_id"]
        assert play(hurried, game_id)["round"] == 1

        # The lane is full before the registry answers again, however late the crowd's threads came.
        assert wait(crowd, PATIENCE_SECONDS, FIRST_COMPLETED).done
        hanging.release()
        answers = [one.result(PATIENCE_SECONDS) for one in crowd]
    refused = [one for one in answers if one.status_code == 503]
    assert refused
    assert all(int(one.headers["retry-after"]) > 0 for one in refused)
    assert any(one.status_code == 200 for one in answers)


def test_a_locked_database_holds_up_no_reader(hurried: TestClient) -> None:
    start(hurried)
    ok(hurried.get(HISTORY_PATH))
    database = file_of(service_behind(hurried).core.settings.database_url)
    assert database is not None
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with closing(lock), ThreadPoolExecutor(CROWD) as pool:
        crowd = [pool.submit(start, hurried, player_name=f"Ada {number}") for number in range(CROWD)]

        for path in ("/healthz", "/readyz", "/metrics", "/models", HISTORY_PATH):
            assert hurried.get(path).status_code == 200

        lock.rollback()
        for one in crowd:
            one.exception(PATIENCE_SECONDS)


def test_a_lane_refuses_a_caller_for_whom_no_place_becomes_free() -> None:
    release = threading.Event()

    async def crowd() -> list[str]:
        lane, outcomes = Lane("reading", 2, 0.05), []

        async def ask() -> None:
            try:
                outcomes.append(await lane(lambda: str(release.wait(PATIENCE_SECONDS))))
            except Unavailable as error:
                outcomes.append(str(error))
                if len(outcomes) == 3:
                    release.set()

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        outcomes.append(await lane(lambda: "again"))
        return outcomes

    outcomes = anyio.run(crowd)

    assert outcomes == ["reading: no place has become free; try again in a moment"] * 3 + ["True"] * 2 + ["again"]


def test_no_caller_waits_in_a_short_lane() -> None:
    release = threading.Event()

    async def crowd() -> list[str]:
        lane, outcomes = ShortLane("another recount is under way", 1), []

        async def ask() -> None:
            try:
                outcomes.append(await lane(lambda: str(release.wait(PATIENCE_SECONDS))))
            except TooMany as error:
                outcomes.append(str(error))
                release.set()

        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(ask)
        return outcomes

    assert anyio.run(crowd) == ["another recount is under way; try again in a moment", "True"]


def test_a_lane_has_its_place_back_after_an_error() -> None:
    async def fail_often() -> int:
        lane = Lane("reading", 1, 0.05)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane(lambda: 1 // 0)
        return await lane(lambda: 7)

    assert anyio.run(fail_often) == 7
