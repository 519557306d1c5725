import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.promotion import planning
from gameplay.promotion.state import Promotion
from gameplay.serving import webhook
from gameplay.serving.leases import Leases
from gameplay.serving.schedule import Schedule
from gameplay.serving.webhook_checkpoint import Checkpoint
from ledger.errors import UnavailableError
from ledger.events import CycleDecided
from ledger.streams import game_stream
from ledger.vocabulary import FAMILIES, Family
from tests.builders import assignment, game_started
from tests.gameplay.clocks import DAILY, FIRING, SetClocks, at_head
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.serving.receivers import receiving
from tests.gameplay.web_clients import wait_until
from tests.patience import PATIENCE_SECONDS


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


@dataclass
class Running:
    """A schedule that has started, and the clocks by which it runs."""

    schedule: Schedule
    clocks: SetClocks

    def pass_time(self, seconds: float) -> None:
        """Let the time pass, and whatever is due then begin."""
        self.clocks.passes(seconds)
        self.schedule.look()

    def pass_until(self, condition: Callable[[], bool]) -> None:
        """The same, a second after the other until something is so."""

        def passed() -> bool:
            self.pass_time(1)
            return condition()

        wait_until(passed)

    def reach(self, time: datetime) -> None:
        """The same, with all the time until then."""
        self.clocks.reaches(time)
        self.schedule.look()


@contextmanager
def running(core: Core, process: CollectorRegistry, clocks: SetClocks | None = None) -> Iterator[Running]:
    core.read_models.projector.start()
    clocks = clocks or at_head(core)
    schedule = Schedule(core, process, clocks=clocks.clocks)
    schedule.start()
    try:
        yield Running(schedule, clocks)
    finally:
        schedule.shutdown()


def failures(process: CollectorRegistry, job: str) -> float | None:
    return process.get_sample_value("rps_job_failures_total", {"task": job})


def runs(process: CollectorRegistry, job: str) -> float | None:
    return process.get_sample_value("rps_job_runs_total", {"task": job})


def decided(core: Core) -> list[CycleDecided]:
    events = [core.ledger.decode(entry) for page in core.ledger.pages() for entry in page]
    return [event for event in events if isinstance(event, CycleDecided)]


def last_run(process: CollectorRegistry, job: str) -> float | None:
    return process.get_sample_value("rps_job_last_run_timestamp_seconds", {"job": job})


def missed(process: CollectorRegistry, job: str) -> float | None:
    return process.get_sample_value("rps_job_missed_total", {"job": job})


@pytest.mark.parametrize(
    ("schedules", "more"),
    [
        ({}, set()),
        ({"promotion_schedule": DAILY}, {"promotion"}),
        ({"train_schedule": DAILY}, {"training"}),
        ({"parity_schedule": DAILY}, {"parity"}),
    ],
)
def test_every_job_is_registered_and_its_counters_born_at_zero(
    core_with: Callable[..., Core], process: CollectorRegistry, schedules: dict[str, str], more: set[str]
) -> None:
    built = Schedule(core_with(**schedules), process)

    assert built.jobs == {"catch-up", "abandon", "registry", "annotate", "seal", "keep-link"} | more
    for job in built.jobs:
        assert (failures(process, job), missed(process, job), last_run(process, job)) == (0, 0, None)
        assert runs(process, job) == 0
    built.shutdown()


def test_a_promotion_job_runs_a_cycle_for_each_family(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core = core_with(promotion_schedule=DAILY)
    with running(core, process) as service:
        service.reach(FIRING)
        wait_until(lambda: last_run(process, "promotion") is not None)

        assert [(cycle.model_type, cycle.trigger, cycle.source) for cycle in decided(core)] == [
            (family, "schedule", "scheduler") for family in FAMILIES
        ]
        assert failures(process, "promotion") == 0
        assert last_run(process, "promotion") == service.clocks.wall_seconds


def test_a_tick_that_meets_an_outage_is_decided_once_for_each_family_when_that_is_over(
    core_with: Callable[..., Core], process: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, away = core_with(promotion_schedule=DAILY), threading.Event()
    away.set()

    def cycle(promotion: Promotion, family: Family, **of_schedule: Any) -> CycleDecided | None:
        if away.is_set() and family == FAMILIES[1]:
            raise UnavailableError("the server closed the connection")
        return planning.cycle(promotion, family, **of_schedule)

    monkeypatch.setattr("gameplay.serving.schedule.cycle", cycle)
    with running(core, process) as service:
        service.reach(FIRING)
        service.pass_until(lambda: (failures(process, "promotion") or 0) >= 2)
        away.clear()
        service.pass_until(lambda: "promotion" not in service.schedule.failing)

        assert [cycle.model_type for cycle in decided(core)] == list(FAMILIES)


def test_a_tick_is_decided_once_by_two_processes(core_with: Callable[..., Core]) -> None:
    cores = [core_with(promotion_schedule=DAILY) for _ in range(2)]
    clocks = at_head(cores[0])
    registries = [CollectorRegistry(), CollectorRegistry()]
    with running(cores[0], registries[0], clocks) as first, running(cores[1], registries[1], clocks) as second:
        first.reach(FIRING)
        second.reach(FIRING)
        wait_until(lambda: all(last_run(one, "promotion") for one in registries))
        assert len(decided(cores[0])) == len(FAMILIES)
        first.reach(FIRING + timedelta(days=1))
        second.reach(FIRING + timedelta(days=1))
        wait_until(lambda: len(decided(cores[0])) == 2 * len(FAMILIES))

    assert [failures(one, "promotion") for one in registries] == [0, 0]


def holders(core: Core) -> dict[str, str]:
    with core.engine.connect() as connection:
        return {row.name: row.holder for row in connection.execute(text("SELECT name, holder FROM leases"))}


def test_a_job_is_one_process_s_and_the_other_s_when_that_ends(core_with: Callable[..., Core]) -> None:
    cores, registries = [core_with(), core_with()], [CollectorRegistry(), CollectorRegistry()]
    clocks = at_head(cores[0])

    def all_have_run(*jobs: str) -> bool:
        return all(last_run(one, job) for one in registries for job in jobs)

    with running(cores[1], registries[1], clocks) as second:
        with running(cores[0], registries[0], clocks) as first:
            first.pass_time(40)
            second.pass_time(0)
            wait_until(lambda: all_have_run("seal", "abandon", "annotate"))
            before = holders(cores[0])
            assert before.keys() == {"seal", "abandon", "annotate"}
        ended = [name for name, holder in holders(cores[0]).items() if holder != before[name]]
        assert not ended, "an end lets go, and takes nothing"
        second.pass_time(40)
        wait_until(lambda: holders(cores[0]).keys() == before.keys())
        assert len(set(holders(cores[0]).values())) == 1

    assert [failures(one, "seal") for one in registries] == [0, 0]
    assert holders(cores[0]) == {}


def test_a_cycle_missed_by_a_restart_runs_once_at_the_start(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core, again = core_with(promotion_schedule=DAILY), CollectorRegistry()
    with running(core, process, SetClocks(FIRING + timedelta(minutes=7))):
        wait_until(lambda: last_run(process, "promotion") is not None)
        assert len(decided(core)) == len(FAMILIES)
    with running(core, again, at_head(core)) as other:
        other.pass_time(1)
        wait_until(lambda: last_run(again, "catch-up") is not None)

        assert last_run(again, "promotion") is None
    assert len(decided(core)) == len(FAMILIES)


def test_a_cycle_that_came_before_the_first_aliases_was_not_missed(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core = core_with(promotion_schedule=DAILY)
    with running(core, process) as service:
        service.pass_time(1)
        wait_until(lambda: last_run(process, "catch-up") is not None)

    assert last_run(process, "promotion") is None


def test_a_family_without_aliases_is_passed_over(tmp_path: Path, process: CollectorRegistry) -> None:
    core = open_core(Settings(data_dir=tmp_path, promotion_schedule=DAILY), registry=FaultyRegistry())
    with running(core, process) as service:
        service.reach(FIRING)
        wait_until(lambda: last_run(process, "promotion") is not None)

    assert (decided(core), failures(process, "promotion")) == ([], 0)
    core.close()


def test_the_catch_up_folds_and_loads(core_with: Callable[..., Core], process: CollectorRegistry) -> None:
    core = core_with()
    with running(core, process) as service:
        core.ledger.append(game_stream("g1"), [game_started(game_id="g1")], 0)
        service.pass_time(1)
        wait_until(lambda: len(core.models.sources()) == 12)

    assert core.read_models.projector.position == core.ledger.head().position


def test_the_catch_up_goes_on_to_the_head_in_slices(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core = core_with()
    games = [core.ledger.prepare(game_stream(f"g{n}"), [game_started(game_id=f"g{n}")], 0) for n in range(500)]
    with running(core, process) as service:
        core.ledger.append_all(games)
        service.pass_time(1)
        wait_until(lambda: core.read_models.projector.position == core.ledger.head().position)


def test_the_abandon_job_closes_idle_games(core_with: Callable[..., Core], process: CollectorRegistry) -> None:
    core = core_with(game_idle_seconds=30)
    core.ledger.append(game_stream("idle"), [game_started(game_id="idle")], 0)
    with running(core, process) as service:
        service.pass_time(30)
        wait_until(lambda: len(core.ledger.read_stream(game_stream("idle"))) == 2)

    assert failures(process, "abandon") == 0


def test_a_job_that_fails_is_counted_and_comes_again(
    core_with: Callable[..., Core], process: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    core = core_with()
    with running(core, process) as service:
        with core.engine.begin() as connection:
            connection.execute(text("DROP TABLE events"))
        for count in (1, 2):
            service.pass_time(1)
            wait_until(lambda count=count: (failures(process, "catch-up") or 0) >= count)  # type: ignore[misc]

    assert "no such table: events" in caplog.text


def test_a_ledger_ahead_of_the_clock_is_logged_once(
    core_with: Callable[..., Core], process: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    core = core_with()
    with running(core, process, at_head(core, hours=-1)) as service:
        for _ in range(3):
            service.pass_time(1)
            wait_until(lambda: last_run(process, "catch-up") == service.clocks.wall_seconds)

    assert caplog.text.count("later than this machine's clock") == 1


def test_a_missing_key_keeps_nothing_but_the_sealing_from_running(
    core_with: Callable[..., Core], process: CollectorRegistry, tmp_path: Path
) -> None:
    key = tmp_path / "seal.key"
    key.write_text("no key")
    with running(core_with(seal_key=key), process) as service:
        service.pass_time(10)
        wait_until(lambda: failures(process, "seal") == 1 and last_run(process, "catch-up") is not None)

    assert failures(process, "catch-up") == 0


def test_a_shutdown_waits_for_the_job_that_runs(
    core_with: Callable[..., Core], process: CollectorRegistry, registry: FaultyRegistry
) -> None:
    core = core_with(promotion_schedule=DAILY)
    registry.down = True
    assert not planning.move(core.promotion, "feedforward_nn", assignment((2, 1, 3, 4)), cause="manual")
    registry.down = False
    reached, release = threading.Event(), threading.Event()

    def dawdle() -> None:
        reached.set()
        release.wait(PATIENCE_SECONDS)

    registry.at_assignment(1, dawdle)
    clocks = at_head(core)
    schedule = Schedule(core, process, clocks=clocks.clocks)
    schedule.start()
    clocks.reaches(FIRING)
    schedule.look()
    assert reached.wait(PATIENCE_SECONDS)

    closing = threading.Thread(target=schedule.shutdown)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    release.set()
    closing.join(PATIENCE_SECONDS)

    assert not closing.is_alive()
    assert registry.named["feedforward_nn"]["Production"] == 2
    assert len(decided(core)) == 3
    schedule.shutdown()


def test_a_shutdown_does_not_wait_for_a_job_that_hangs(
    core_with: Callable[..., Core],
    process: CollectorRegistry,
    registry: FaultyRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    core = core_with(promotion_schedule=DAILY)
    registry.down = True
    planning.move(core.promotion, "feedforward_nn", assignment((2, 1, 3, 4)), cause="manual")
    registry.down = False
    reached, release = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        release.wait(PATIENCE_SECONDS)

    registry.at_assignment(1, hang)
    clocks = at_head(core)
    schedule = Schedule(core, process, clocks=clocks.clocks)
    schedule.start()
    clocks.reaches(FIRING)
    schedule.look()
    assert reached.wait(PATIENCE_SECONDS)

    schedule.shutdown(0.0)

    (said,) = [record.getMessage() for record in caplog.records if "still run" in record.getMessage()]
    assert "promotion" in said
    release.set()
    wait_until(lambda: not any(thread.name.startswith("job-") for thread in threading.enumerate()))


def test_a_schedule_that_was_shut_down_never_starts(
    core_with: Callable[..., Core], process: CollectorRegistry
) -> None:
    core, before = core_with(), set(threading.enumerate())
    schedule = Schedule(core, process, clocks=(clocks := SetClocks()).clocks)
    schedule.shutdown()

    schedule.start()
    clocks.passes(1)
    schedule.look()

    assert "scheduler" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_a_sender_s_lease_is_kept_for_as_long_as_it_waits_for_an_answer(
    core_with: Callable[..., Core], process: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(webhook, "ANSWER_SECONDS_MAX", PATIENCE_SECONDS)
    monkeypatch.setattr(webhook, "LEASE_SECONDS", PATIENCE_SECONDS)
    with receiving() as receiver:
        core = core_with(webhook_url=receiver.url)
        receiver.statuses = [0]
        with running(core, process) as found:
            wait_until(lambda: Checkpoint(core.engine).read() is not None)
            planning.cycle(core.promotion, "xgboost", trigger="manual", source="tests")
            wait_until(lambda: len(receiver.got) == 1)

            found.schedule.shutdown(0.0)
            while_it_waits = Leases(core.engine).take(webhook.LEASE, 0.0)
            receiver.release.set()
            found.schedule.shutdown(PATIENCE_SECONDS)

            assert not while_it_waits
            assert Leases(core.engine).take(webhook.LEASE, 0.0)
            assert "webhook" not in {thread.name for thread in threading.enumerate()}
