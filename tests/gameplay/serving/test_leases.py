import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from gameplay.serving.leases import Leases
from tests.postgresql import EVERY_ENGINE

pytestmark = EVERY_ENGINE

LONG_SECONDS = 3_600.0


def test_a_lease_is_one_process_s_until_its_time_is_up(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", LONG_SECONDS)
    assert one.take("seal", LONG_SECONDS), "the holder may go on"
    assert not other.take("seal", LONG_SECONDS)
    assert other.take("abandon", LONG_SECONDS), "another job"
    assert not one.take("abandon", LONG_SECONDS)
    with engine.begin() as connection:  # as if an hour had passed
        connection.execute(text("UPDATE leases SET until_us = until_us - 3600000001"))
    assert other.take("seal", LONG_SECONDS)
    assert not one.take("seal", LONG_SECONDS)


def test_a_lease_lasts_as_long_as_it_says_by_the_clock_of_the_database(engine: Engine) -> None:
    one, other = Leases(engine), Leases(engine)
    assert one.take("seal", 0.0)
    assert other.take("seal", LONG_SECONDS)
    assert not one.take("seal", 0.0)


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
