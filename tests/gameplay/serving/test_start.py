"""A start that the database interrupts: no step is left out, and the service says what it lacks until then."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.refusals import Conflict, Invalid
from gameplay.serving import schedule
from gameplay.serving import start as starting
from gameplay.serving.service import PREPARING
from gameplay.serving.start import EndingError, Start
from gameplay.web.app import create_app
from ledger.errors import ConflictError, DiskFullError, IdentityError, StorageError, UnavailableError
from ledger.vocabulary import FAMILIES
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.web_clients import ok, samples, service_behind, wait_adopted, wait_until

AWAY = "the server closed the connection"
CURED_BY_TIME = [
    UnavailableError(AWAY),
    StorageError("the database refused: database is locked"),
    DiskFullError("no space left"),
    ConflictError("promotion-xgboost", 3, 4),
    Conflict("xgboost: other processes kept moving its aliases; try again"),
]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(schedule, "CATCH_UP_SECONDS", 0.05)


@pytest.fixture
def registry() -> FaultyRegistry:
    """One in which an alias was moved while no service ran."""
    found = registry_with_versions(count=5)
    found.named[FAMILIES[-1]]["shadow2"] = 5
    return found


@contextmanager
def statements(look: Callable[[], None]) -> Iterator[None]:
    """Have `look` called before each statement of a service's start; what it raises is the database's answer."""

    def before(*_args: object) -> None:
        if threading.current_thread().name == PREPARING:
            look()

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def changed(settings: Settings) -> Settings:
    """With a rule that the start has to record, and a cron line whose missed cycle it has to look for."""
    return Settings(data_dir=settings.data_dir, promotion_alpha="0.1", promotion_schedule="0 3 29 2 *")


def assert_whole(client: TestClient) -> None:
    """Nothing of the start is missing."""
    service = service_behind(client)
    assert ok(client.get("/healthz"))["start_problem"] is None
    states = [service.core.promotion.state(family).promotion for family in FAMILIES]
    assert [state.rule and state.rule.alpha for state in states] == ["0.1"] * len(FAMILIES)
    assert service.core.has_claimed
    assert states[-1].aliases["shadow2"] == 5
    wait_until(lambda: samples(client, "process")['rps_job_runs_total{task="catch-up"}'] > 0)


# Restoring, catching up, tracking, rules, the jobs' first mark, models, registry: of about eighty statements.
@pytest.mark.parametrize("first", [1, 21, 50, 54, 58, 64, 68, 72, 77])
def test_a_start_that_the_database_interrupts_is_done_in_the_end(
    settings: Settings, registry: FaultyRegistry, first: int
) -> None:
    seen = 0

    def look() -> None:
        nonlocal seen
        seen += 1
        if first <= seen < first + 3:
            raise UnavailableError(AWAY)

    with statements(look), TestClient(create_app(changed(settings), registry=registry)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_adopted()

        assert seen >= first + 3, "the start makes fewer statements than that"
        assert_whole(client)


@pytest.mark.parametrize(("first", "lacks"), [(1, "projections: replaying the ledger"), (58, "jobs: not begun")])
def test_a_start_that_is_held_up_says_so_until_it_goes_on(
    settings: Settings, registry: FaultyRegistry, caplog: pytest.LogCaptureFixture, first: int, lacks: str
) -> None:
    caplog.set_level(logging.INFO)
    seen, back = 0, threading.Event()

    def look() -> None:
        nonlocal seen
        seen += 1
        if seen >= first and not back.is_set():
            raise UnavailableError(AWAY)

    with statements(look), TestClient(create_app(changed(settings), registry=registry)) as client:
        wait_until(lambda: seen > first + 5)
        ready, health = client.get("/readyz"), client.get("/healthz")
        back.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_adopted()
        assert_whole(client)

    assert (ready.status_code, ready.json()["missing"]) == (503, [f"{lacks}: {AWAY}"])
    assert (health.status_code, health.json()["start_problem"]) == (200, AWAY)
    assert caplog.text.count("the start is held up") == 1
    assert caplog.text.count("the start goes on") == 1


def test_a_service_whose_start_is_held_up_ends_in_time(settings: Settings, registry: FaultyRegistry) -> None:
    away = threading.Event()

    def look() -> None:
        away.set()
        raise UnavailableError(AWAY)

    with statements(look), TestClient(create_app(changed(settings), registry=registry)) as client:
        wait_until(away.is_set)
        assert client.get("/readyz").status_code == 503

    assert PREPARING not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("error", CURED_BY_TIME, ids=lambda error: type(error).__name__)
def test_a_step_is_done_again_for_as_long_as_time_may_cure_what_it_meets(error: Exception) -> None:
    start, met = Start(threading.Event()), list[str | None]()

    def step() -> None:
        met.append(start.problem)
        if len(met) < 4:
            raise error

    start.do(step)

    assert met == [None, *[str(error)] * 3]
    assert start.problem is None


@pytest.mark.parametrize("error", [IdentityError("another ledger"), Invalid("no such rule"), KeyError("a bug")])
def test_what_time_does_not_cure_ends_a_start(error: Exception) -> None:
    def step() -> None:
        raise error

    with pytest.raises(type(error)):
        Start(threading.Event()).do(step)


def test_a_step_that_was_stopped_goes_on_by_its_own_way() -> None:
    done: list[str] = []

    def restore() -> None:
        done.append("restore")
        raise UnavailableError(AWAY)

    def catch_up() -> None:
        done.append("catch up")
        if len(done) < 3:
            raise UnavailableError(AWAY)

    Start(threading.Event()).do(restore, again=catch_up)

    assert done == ["restore", "catch up", "catch up"]


def test_no_step_is_done_once_the_process_ends() -> None:
    ending, done = threading.Event(), list[int]()

    def step() -> None:
        done.append(1)
        ending.set()
        raise UnavailableError(AWAY)

    for _ in range(2):
        with pytest.raises(EndingError):
            Start(ending).do(step)

    assert len(done) == 1
