import sys
from collections.abc import Iterator
from threading import Event as Signal
from threading import Thread

import msgspec
import pytest

from ledger.streams import promotion_stream
from ledger.vocabulary import FAMILIES
from tests.builders import rule_set
from tests.gameplay.promotion.house import FAMILY, House


@pytest.fixture
def nimble_threads() -> Iterator[None]:
    """The interpreter changes threads as often as it can, as it may at any time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_state_stays_as_it_was_read_while_the_read_models_go_on(house: House) -> None:
    process = house.process()
    house.ledger.append(promotion_stream(FAMILY), [rule_set(model_type=FAMILY)], 1)
    house.games("B", played=1, won=1)
    before = process.state(FAMILY)
    as_read = msgspec.json.encode(before)

    house.games("B", played=2, won=1)
    after = process.state(FAMILY)

    assert msgspec.json.encode(before) == as_read
    for part in ("promotion", "window", "pair", "assigned"):
        assert getattr(after, part) != getattr(before, part), part


@pytest.mark.usefixtures("nimble_threads")
def test_a_scrape_reads_the_problems_while_they_come_and_go(house: House) -> None:
    process = house.process()
    process.read_models.projector.catch_up()
    done = Signal()

    def come_and_go() -> None:
        while not done.is_set():
            for problems in (process.not_adopted, process.not_completed):
                for family in FAMILIES:
                    problems[family] = "the registry is away"
                for family in FAMILIES:
                    del problems[family]

    worker = Thread(target=come_and_go)
    worker.start()
    try:
        for _ in range(20_000):
            assert process.problems.keys() <= set(FAMILIES)
    finally:
        done.set()
        worker.join()
