import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from gameplay.serving.leases import SECONDS_MAX, Leases
from tests.postgresql import EVERY_ENGINE

pytestmark = EVERY_ENGINE

LONG_SECONDS = SECONDS_MAX - 100


def test_a_lease_is_one_process_s_until_its_time_is_up(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", LONG_SECONDS)
    assert one.take("seal", LONG_SECONDS), "the holder may go on"
    assert not other.take("seal", LONG_SECONDS)
    assert other.take("abandon", LONG_SECONDS), "another job"
    assert not one.take("abandon", LONG_SECONDS)
    pass_time(engine, LONG_SECONDS)
    assert other.take("seal", LONG_SECONDS)
    assert not one.take("seal", LONG_SECONDS)


def test_a_lease_lasts_as_long_as_it_says_by_the_clock_of_the_database(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", 0.0)
    assert other.take("seal", LONG_SECONDS)
    assert not one.take("seal", 0.0)


@pytest.mark.parametrize("ahead_seconds", [SECONDS_MAX, 86_400.0, 10 * 365 * 86_400.0])
def test_a_lease_by_a_clock_that_was_ahead_is_free(engine: Engine, ahead_seconds: float) -> None:
    gone, one, other = Leases(engine), Leases(engine), Leases(engine)
    assert gone.take("seal", LONG_SECONDS)
    assert gone.take("abandon", LONG_SECONDS)
    pass_time(engine, -ahead_seconds, "seal")

    assert one.take("seal", LONG_SECONDS)
    assert not other.take("seal", LONG_SECONDS), "by the clock as it is now"
    assert not other.take("abandon", LONG_SECONDS), "another job"


def test_a_lease_by_a_clock_that_was_ahead_is_still_its_holder_s_and_let_go(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", LONG_SECONDS)
    pass_time(engine, -86_400.0)

    assert one.take("seal", LONG_SECONDS)
    assert not other.take("seal", LONG_SECONDS)


def pass_time(engine: Engine, seconds: float, name: str = "%") -> None:
    """As if so many seconds had passed since leases were taken; less than 0 where the clock was set back."""
    with engine.begin() as connection:
        passed = {"us": int(seconds * 1_000_000) + 1, "name": name}
        connection.execute(text("UPDATE leases SET until_us = until_us - :us WHERE name LIKE :name"), passed)


def test_a_process_that_ends_lets_go_of_its_own(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", LONG_SECONDS)
    assert other.take("abandon", LONG_SECONDS)
    one.release()
    assert other.take("seal", LONG_SECONDS)
    assert not one.take("abandon", LONG_SECONDS)


@pytest.mark.parametrize("held_before", [False, True])
def test_of_many_at_once_one_has_it(engine: Engine, held_before: bool) -> None:
    if held_before:
        assert Leases(engine).take("seal", -1.0)
    crowd = [Leases(engine) for _ in range(8)]
    together = threading.Barrier(len(crowd))

    def take(one: Leases) -> bool:
        together.wait()
        return one.take("seal", LONG_SECONDS)

    with ThreadPoolExecutor(len(crowd)) as pool:
        assert sum(pool.map(take, crowd)) == 1
