import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.promotion import planning
from gameplay.serving.schedule import Schedule
from ledger.events import CycleDecided
from ledger.streams import game_stream
from ledger.vocabulary import FAMILIES
from tests.builders import game_started
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import wait_until

EVERY_MINUTE = "* * * * *"


@pytest.fixture
def process() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def core_with(data_dir: Path, registry: FaultyRegistry) -> Iterator[Callable[..., Core]]:
    cores = []

    def build(**values: object) -> Core:
        settings = Settings(data_dir=data_dir, **{"promotion_schedule": None, **values})  # type: ignore[arg-type]
        cores.append(open_core(settings, registry=registry))
        return cores[-1]

    yield build
    for core in cores:
        core.close()


@contextmanager
def running(core: Core, process: CollectorRegistry, *, since_us: int = 0) -> Iterator[Schedule]:
    schedule = Schedule(core, process, since_us=since_us)
    schedule.start()
    try:
        yield schedule
    finally:
        schedule.shutdown()


def run_now(schedule: Schedule, *jobs: str) -> None:
    for job in jobs:
        schedule._scheduler.get_job(job).modify(next_run_time=datetime.now(UTC))


def failures(process: CollectorRegistry, job: str) -> float | None:
    return process.get_sample_value("rps_job_failures_total", {"task": job})


def decided(core: Core) -> list[CycleDecided]:
    events = [core.ledger.decode(entry) for page in core.ledger.pages() for entry in page]
    return [event for event in events if isinstance(event, CycleDecided)]


@pytest.mark.parametrize(
    ("schedules", "jobs"),
    [
        ({}, {"nudge", "abandon", "seal"}),
        ({"promotion_schedule": EVERY_MINUTE}, {"nudge", "abandon", "seal", "promotion"}),
        ({"train_schedule": EVERY_MINUTE}, {"nudge", "abandon", "seal", "training"}),
    ],
)
def test_every_job_is_registered_and_its_failures_born_at_zero(
    core_with: Callable[..., Core], process: CollectorRegistry, schedules: dict[str, str], jobs: set[str]
) -> None:
    built = Schedule(core_with(**schedules), process, since_us=0)

    assert {job.id for job in built._scheduler.get_jobs()} == jobs
    assert [failures(process, job) for job in sorted(jobs)] == [0.0] * len(jobs)
    built.shutdown()


def test_a_promotion_job_runs_a_cycle_for_each_family(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core = core_with(promotion_schedule=EVERY_MINUTE)
    with running(core, process) as schedule:
        run_now(schedule, "promotion")
        wait_until(lambda: len(decided(core)) == 3)

    assert [(cycle.model_type, cycle.trigger, cycle.source) for cycle in decided(core)] == [
        (family, "schedule", "scheduler") for family in FAMILIES
    ]
    assert failures(process, "promotion") == 0


def test_a_family_without_aliases_is_passed_over(tmp_path: Path, process: CollectorRegistry) -> None:
    core = open_core(Settings(data_dir=tmp_path, promotion_schedule=EVERY_MINUTE), registry=FaultyRegistry())
    done = threading.Event()
    with running(core, process) as schedule:
        schedule._scheduler.add_listener(lambda _event: done.set(), EVENT_JOB_EXECUTED)
        schedule._scheduler.remove_job("nudge")
        run_now(schedule, "promotion")
        assert done.wait(10)
    assert (decided(core), failures(process, "promotion")) == ([], 0)
    core.close()


def test_the_nudge_folds_and_loads(core_with: Callable[..., Core], process: CollectorRegistry) -> None:
    core = core_with()
    with running(core, process) as schedule:
        run_now(schedule, "nudge")
        wait_until(lambda: len(core.models.sources()) == 12)

    assert core.read_models.projector.position == core.ledger.head().position


def test_the_abandon_job_closes_idle_games(core_with: Callable[..., Core], process: CollectorRegistry) -> None:
    core = core_with(game_idle_seconds=1)
    core.ledger.append(game_stream("idle"), [game_started(game_id="idle")], 0)

    def abandoned() -> bool:
        run_now(schedule, "abandon")
        return len(core.ledger.read_stream(game_stream("idle"))) == 2

    with running(core, process) as schedule:
        wait_until(abandoned)

    assert failures(process, "abandon") == 0


def test_a_job_that_fails_is_counted_and_comes_again(
    core_with: Callable[..., Core], process: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    core = core_with()
    with core.engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    with running(core, process) as schedule:
        for count in (1, 2):
            run_now(schedule, "nudge")
            wait_until(lambda count=count: (failures(process, "nudge") or 0) >= count)  # type: ignore[misc]
        assert schedule._scheduler.get_job("nudge") is not None

    assert "no such table: events" in caplog.text


def test_a_shutdown_waits_for_the_job_that_runs(
    core_with: Callable[..., Core], process: CollectorRegistry, registry: FaultyRegistry
) -> None:
    core = core_with(promotion_schedule=EVERY_MINUTE)
    registry.down = True
    assignment = core.promotion.state("feedforward_nn").assignment()
    swapped = type(assignment)(Production=2, B=1, shadow1=3, shadow2=4)
    assert not planning.move(core.promotion, "feedforward_nn", swapped, cause="manual")
    registry.down = False
    reached, release = threading.Event(), threading.Event()

    def dawdle() -> None:
        reached.set()
        release.wait(10)

    registry.at_call(1, dawdle)
    schedule = Schedule(core, process, since_us=0)
    schedule.start()
    run_now(schedule, "promotion")
    assert reached.wait(10)

    closing = threading.Thread(target=schedule.shutdown)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    release.set()
    closing.join(10)

    assert not closing.is_alive()
    assert registry.named["feedforward_nn"]["Production"] == 2
    assert len(decided(core)) == 3
    schedule.shutdown()
