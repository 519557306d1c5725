from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameplay.models.errors import RegistryError
from gameplay.promotion import adoption, applying, planning
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.state import Promotion
from gameplay.refusals import Refusal
from ledger.engines.database import open_engine
from ledger.events import (
    Assignment,
)
from ledger.upgrade import upgrade
from ledger.vocabulary import ALIASES
from tests.gameplay.faults import (
    CrashError,
    crash,
    refuse,
)
from tests.gameplay.promotion.house import FAMILY, House, gauges, settled
from tests.gameplay.promotion.operator.ordering import pin, swap, undo, unpin

FAULTS = ("crash before append", "crash after append", "crash registry", "refuse registry")


ACTS = ("cycle", "cycle", "settle", "adopt", "move", "cancel", "play", "swap", "undo", "pin", "unpin")
Act = tuple[str, str, int]


_acts = st.lists(
    st.tuples(
        st.sampled_from(ACTS),
        st.sampled_from(["", "", *FAULTS]),
        st.integers(1, 5),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promotions")
    engine = open_engine(f"sqlite:///{folder / 'empty.db'}")
    upgrade(engine)
    engine.dispose()
    return folder


@settings(max_examples=40)
@given(acts=_acts, seed=st.integers(0, 2**32))
def test_whatever_fails_the_registry_comes_to_equal_the_ledger(empty: Path, acts: list[Act], seed: int) -> None:
    path = empty / "ledger.db"
    path.write_bytes((empty / "empty.db").read_bytes())
    engine = open_engine(f"sqlite:///{path}")
    try:
        house = House(engine)
        house.bootstrap()
        promotion = house.process()
        for act, fault, at in acts:
            house.ledger.appends, house.registry.calls = 0, 0
            trip(house, fault, at)
            try:
                perform(house, promotion, act, at + seed)
            except CrashError:
                promotion = house.process()
            untrip(house)
        assert settled(promotion)
        house.assert_converged()
    finally:
        engine.dispose()
        for left in empty.glob("ledger.db*"):
            left.unlink()


def trip(house: House, fault: str, at: int) -> None:
    match fault:
        case "crash before append":
            house.ledger.before_append(min(at, 2), crash)
        case "crash after append":
            house.ledger.after_append(min(at, 2), crash)
        case "crash registry":
            house.registry.at_assignment(at, crash)
        case "refuse registry":
            house.registry.at_call(at, refuse)


def untrip(house: House) -> None:
    for when in (house.ledger.before_append, house.ledger.after_append):
        when(-1, crash)
    house.registry.clear_faults()


def perform(house: House, promotion: Promotion, act: str, number: int) -> None:
    with suppress(Refusal):
        match act:
            case "cycle":
                planning.cycle(promotion, FAMILY, trigger="schedule", source="test")
            case "settle":
                applying.settle(promotion, FAMILY)
            case "adopt":
                with suppress(RegistryError):
                    adoption.adopt(promotion, FAMILY)
            case "cancel":
                with suppress(RegistryError):
                    applying.cancel(promotion, FAMILY)
            case "move":
                order = [(1, 2, 3, 4), (2, 1, 3, 4), (1, 3, 2, 4), (5, 2, 3, 6)][number % 4]
                planning.move(
                    promotion, FAMILY, Assignment(**dict(zip(ALIASES, order, strict=True))), cause="manual"
                )
            case "swap":
                execute(promotion, swap(number % 7 or None))
            case "undo":
                execute(promotion, undo())
            case "pin":
                execute(promotion, pin(ALIASES[number % 4]))
            case "unpin":
                execute(promotion, unpin(ALIASES[number % 4]))
            case "play":
                swaps = int(gauges(house)["swaps"])
                production, b, *_ = house.aliases()
                house.games("Production", 4, 0, version=production, swap_count=swaps)
                house.games("B", 4, 4, version=b, swap_count=swaps)
