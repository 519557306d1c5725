"""The scheduler under clocks that are set, stopped and started: every wait is the caller's, none is slept."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from hypothesis import given
from hypothesis import strategies as st

from gameplay.cron import Crontab
from gameplay.serving.scheduler import Scheduler, Work
from gameplay.serving.threads import Threads
from gameplay.serving.triggers import AtFirings, Every, Trigger
from ledger.errors import ConflictError, DiskFullError, UnavailableError
from tests.gameplay.clocks import NOON, SetClocks
from tests.gameplay.web_clients import wait_until
from tests.patience import PATIENCE_SECONDS

HALF_HOURLY = "*/30 * * * *"


class Runner:
    """A scheduler with one job, whose runs are looked at one by one."""

    def __init__(self, trigger: Trigger, clocks: SetClocks, work: Work | None) -> None:
        self.clocks = clocks
        self.runs: list[datetime] = []
        self.missed = 0
        self.scheduler = Scheduler(Threads(), clocks.clocks, self._count)
        self.scheduler.add("job", work or self.runs.append, trigger)
        self.scheduler.start(paused=True)

    def look(self, *, after_seconds: float = 0.0) -> list[datetime]:
        """The runs that a look starts once the time has passed, each to its end."""
        self.clocks.passes(after_seconds)
        before = len(self.runs)
        self.scheduler.run_due()
        assert self.scheduler.join(PATIENCE_SECONDS) == []
        return self.runs[before:]

    def watch(self, seconds: int) -> list[datetime]:
        """The runs of so many looks, a second apart."""
        return [run for _ in range(seconds) for run in self.look(after_seconds=1.0)]

    def _count(self, _job: str, runs: int) -> None:
        self.missed += runs


@contextmanager
def running(trigger: Trigger, clocks: SetClocks | None = None, work: Work | None = None) -> Iterator[Runner]:
    runner = Runner(trigger, clocks or SetClocks(), work)
    yield runner
    assert runner.scheduler.shutdown(PATIENCE_SECONDS) == []


def half_hourly() -> AtFirings:
    return AtFirings(Crontab(HALF_HOURLY))


def test_a_job_runs_again_after_each_period() -> None:
    with running(Every(10)) as job:
        assert job.watch(35) == [NOON + timedelta(seconds=seconds) for seconds in (10, 20, 30)]
        assert job.missed == 0


def test_a_job_runs_at_each_firing_of_its_line() -> None:
    with running(half_hourly()) as job:
        assert job.look(after_seconds=1_799) == []
        assert job.look(after_seconds=1) == [NOON + timedelta(minutes=30)]
        assert job.look(after_seconds=1_800) == [NOON + timedelta(minutes=60)]
        assert job.missed == 0


@pytest.mark.parametrize("step_seconds", [-1_200, -86_400, 1_200, 10 * 365 * 86_400])
def test_a_period_is_kept_while_the_clock_is_wrong_and_after_it_is_right_again(step_seconds: int) -> None:
    with running(Every(10)) as job:
        job.clocks.is_set_by(step_seconds)
        wrong = job.watch(5)
        job.clocks.is_set_by(-step_seconds)

        assert len(wrong) + len(job.watch(30)) == 3
        assert job.missed == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-100_000, 100_000)), max_size=6), st.integers(1, 30))
def test_a_period_is_kept_however_often_the_clock_is_set(steps: list[tuple[int, int]], period: int) -> None:
    with running(Every(period)) as job:
        for seconds, step in steps:
            job.watch(seconds)
            job.clocks.is_set_by(step)

        assert len(job.runs) == sum(seconds for seconds, _ in steps) // period


def test_a_firing_comes_although_the_clock_was_years_ahead_for_a_moment() -> None:
    with running(half_hourly()) as job:
        job.clocks.is_set_by(10 * 365 * 86_400)
        assert len(job.look()) == 1
        job.clocks.is_set_by(-10 * 365 * 86_400)

        assert job.look(after_seconds=1_800) == [NOON + timedelta(minutes=30)]


def test_a_firing_comes_by_the_new_time_after_the_clock_was_set_back() -> None:
    with running(half_hourly()) as job:
        job.clocks.is_set_by(-1_200)

        assert job.look(after_seconds=1_200) == [NOON]
        assert job.look(after_seconds=1_800) == [NOON + timedelta(minutes=30)]


@pytest.mark.parametrize("away", [timedelta(minutes=31), timedelta(hours=5), timedelta(days=1, minutes=7)])
def test_of_the_firings_missed_in_a_pause_the_last_one_runs_once(away: timedelta) -> None:
    with running(half_hourly()) as job:
        missed, late = divmod(away, timedelta(minutes=30))

        assert job.look(after_seconds=away.total_seconds()) == [job.clocks.now - late]
        assert job.missed == missed - 1
        assert job.watch(3) == []


def test_periods_missed_in_a_pause_are_counted_and_one_is_made_up_for() -> None:
    with running(Every(10)) as job:
        assert len(job.look(after_seconds=3_605)) == 1
        assert job.missed == 359
        assert len(job.look(after_seconds=5)) == 1


def test_a_run_is_skipped_and_counted_while_the_one_before_goes_on() -> None:
    reached, release = threading.Event(), threading.Event()
    clocks, counted = SetClocks(), []
    others: list[datetime] = []

    def hang(_due: datetime) -> None:
        reached.set()
        release.wait(PATIENCE_SECONDS)

    scheduler = Scheduler(Threads(), clocks.clocks, lambda job, runs: counted.append((job, runs)))
    scheduler.add("hangs", hang, Every(10))
    scheduler.add("other", others.append, Every(10))
    scheduler.start(paused=True)
    for _ in range(3):
        clocks.passes(10)
        scheduler.run_due()
        assert reached.wait(PATIENCE_SECONDS)
        wait_until(lambda: "job-other" not in {thread.name for thread in threading.enumerate()})

    assert len(others) == 3
    assert counted == [("hangs", 1), ("hangs", 1)]
    release.set()
    assert scheduler.shutdown(PATIENCE_SECONDS) == []


def test_a_shutdown_names_the_job_that_hangs_and_does_not_wait_for_it() -> None:
    release = threading.Event()
    clocks = SetClocks()
    scheduler = Scheduler(Threads(), clocks.clocks, lambda _job, _runs: None)
    scheduler.add("hangs", lambda _due: release.wait(PATIENCE_SECONDS), Every(10))  # type: ignore[arg-type]
    scheduler.start(paused=True)
    clocks.passes(10)
    scheduler.run_due()

    assert scheduler.shutdown(0.0) == ["hangs"]
    release.set()


class Outage:
    """A job that its database keeps from its work until it is over, and the time of each run that was tried."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.meanwhile: Callable[[], None] | None = None
        self.tried: list[datetime] = []

    def __call__(self, due: datetime) -> None:
        self.tried.append(due)
        if self.meanwhile is not None:
            self.meanwhile()
        if self.error is not None:
            raise self.error


CURABLE = [UnavailableError("no answer"), DiskFullError("no space"), ConflictError("promotion-x", 1, 2)]


@pytest.mark.parametrize("error", CURABLE, ids=lambda error: type(error).__name__)
def test_a_firing_that_meets_an_outage_stays_due_until_it_is_over(error: Exception) -> None:
    outage = Outage(error)
    with running(half_hourly(), work=outage) as job:
        job.look(after_seconds=1_800)
        job.watch(10)
        assert outage.tried == [NOON + timedelta(minutes=30)] * 3, "at its time, and twice after it"
        outage.error = None
        job.watch(60)

        assert outage.tried[3:] == [NOON + timedelta(minutes=30)], "once more, and that was it"
        assert job.missed == 0
        job.look(after_seconds=1_740)
        assert outage.tried[4:] == [NOON + timedelta(minutes=60)]


@pytest.mark.parametrize("back_seconds", [1, 5, 20])
def test_of_the_firings_that_an_outage_has_met_the_last_one_runs_once(back_seconds: int) -> None:
    outage = Outage(UnavailableError("no answer"))
    with running(half_hourly(), work=outage) as job:
        for _ in range(4):
            job.look(after_seconds=1_800 - back_seconds)
            job.watch(back_seconds)
        outage.error = None
        job.watch(60)

        assert outage.tried[-2:] == [NOON + timedelta(minutes=120)] * 2
        assert job.missed == 3
        assert job.watch(60) == []


def test_a_firing_takes_the_place_of_one_that_has_just_failed() -> None:
    """It hung for almost its whole period."""
    outage = Outage(UnavailableError("no answer"))
    with running(half_hourly(), work=outage) as job:
        outage.meanwhile = lambda: job.clocks.passes(1_798)
        job.look(after_seconds=1_800)
        outage.meanwhile, outage.error = None, None
        job.watch(60)

        assert outage.tried == [NOON + timedelta(minutes=30), NOON + timedelta(minutes=60)]
        assert job.missed == 1


@pytest.mark.parametrize(
    ("trigger", "error"),
    [(half_hourly(), RuntimeError("a fault of the code")), (Every(1_800), UnavailableError("no answer"))],
    ids=["a fault that time does not cure", "a period"],
)
def test_another_run_that_fails_is_left_to_the_next_one(trigger: Trigger, error: Exception) -> None:
    outage = Outage(error)
    with running(trigger, work=outage) as job:
        job.look(after_seconds=1_800)
        job.watch(1_799)
        assert outage.tried == [NOON + timedelta(minutes=30)]

        job.watch(1)
        assert outage.tried[1:] == [NOON + timedelta(minutes=60)]


class Panic(BaseException):
    """What an extension module raises past every `except Exception`."""


@pytest.mark.parametrize("error", [RuntimeError("no"), Panic("no"), SystemExit(1), UnavailableError("no")])
def test_a_job_that_fails_says_so_and_runs_again(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_due: datetime) -> None:
        raise error

    clocks, heard = SetClocks(), []
    threads = Threads()
    scheduler = Scheduler(threads, clocks.clocks, lambda _job, _runs: None)
    hear: Callable[[JobExecutionEvent], None] = lambda event: heard.append((event.job_id, event.exception))  # noqa: E731
    scheduler.add_listener(hear, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)
    scheduler.add("fails", fail, Every(10))
    scheduler.start(paused=True)
    for _ in range(2):
        clocks.passes(10)
        scheduler.run_due()
        scheduler.join(PATIENCE_SECONDS)

    assert heard == [("fails", error)] * 2
    assert caplog.text.count("the job fails failed") == 1, "the same failure is logged once"
    assert ("Traceback" in caplog.text) != isinstance(error, UnavailableError), "which place met it says nothing"
    assert scheduler.failing == {"fails": f"{type(error).__name__}: {error}"}
    assert threads.died == {}
    scheduler.shutdown()


def test_the_scheduler_looks_by_itself() -> None:
    clocks, ran = SetClocks(), threading.Event()
    scheduler = Scheduler(Threads(), clocks.clocks, lambda _job, _runs: None)
    scheduler.add("job", lambda _due: ran.set(), Every(10))
    scheduler.start()
    clocks.passes(10)
    scheduler.wakeup()

    assert ran.wait(PATIENCE_SECONDS)
    scheduler.shutdown(PATIENCE_SECONDS)


def test_a_clock_that_was_set_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with running(Every(10)) as job:
        job.clocks.is_set_by(-1_200)
        job.look()

    assert "the clock was set by -1200.0 seconds" in caplog.text
