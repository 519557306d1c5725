"""Orders in processes that die by kill -9: `python -m tests.gameplay.promotion.operator.killed_program FOLDER`.

Each case has a folder of its own in FOLDER: a ledger, a model store, and the aliases of a registry that outlasts
the process. A fork is a process that a signal can end, without the second that imports take.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Engine

from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import ApproveOrder, Order, RejectOrder
from gameplay.promotion.rules import set_rules
from ledger.engines.database import disposing, open_engine
from ledger.upgrade import upgrade
from ledger.vocabulary import Alias, Family
from projections.decision.rules import DEFAULT
from tests.builders import Versions
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.promotion.house import FAMILY, House, cycle
from tests.gameplay.promotion.operator.ordering import APPENDS, STEPS, origin, pin, swap, trip, undo, unpin

KEY = "k1"


class Case(NamedTuple):
    """An order for a family that has been prepared for it, and where its aliases then are."""

    order: Order
    prepare: Callable[[House], object]
    before: Versions
    after: Versions
    begins_window: bool
    steps: tuple[str, ...]


class KeptRegistry(FaultyRegistry):
    """A registry whose aliases are in a file, as they are in another process's database."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        first = registry_with_versions(count=6)
        self.kept, self.named = first.kept, first.named
        self._path = path
        if path.exists():
            self.named[FAMILY] = json.loads(path.read_text())

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        super().assign(family, alias, version)
        self._path.write_text(json.dumps(self.named[FAMILY]))


def by_key(one: Order) -> Order:
    return replace(one, origin=origin(key=KEY))


def swapped(house: House) -> None:
    execute(house.process(), swap())
    house.games("Production", 4, 2, version=2, swap_count=1)


def pinned(house: House) -> None:
    execute(house.process(), pin("B"))
    house.games("Production", 4, 2)


def played(house: House) -> None:
    house.games("Production", 4, 2)


def waiting(house: House) -> None:
    set_rules(house.process(), {FAMILY: replace(DEFAULT, approval_seconds=3_600)}, actor="settings")
    house.better_b()
    cycle(house.process())


FIRST: Versions = (1, 2, 3, 4)
SWAPPED: Versions = (2, 1, 3, 4)
CASES = {
    "swap": Case(swap(), played, FIRST, SWAPPED, True, STEPS),
    "swap-to": Case(swap(4), played, FIRST, (4, 2, 3, 1), False, STEPS),
    "undo": Case(undo(), swapped, SWAPPED, FIRST, True, STEPS),
    "approve": Case(ApproveOrder(family=FAMILY, origin=origin()), waiting, FIRST, SWAPPED, True, STEPS),
    "reject": Case(RejectOrder(family=FAMILY, origin=origin()), waiting, FIRST, FIRST, False, APPENDS),
    "pin": Case(pin("B"), played, FIRST, FIRST, False, APPENDS),
    "unpin": Case(unpin("B"), pinned, FIRST, FIRST, False, APPENDS),
}


def folder_of(folder: Path, name: str, step: str) -> Path:
    return folder / f"{name} {step}"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def house_in(engine: Engine, folder: Path) -> House:
    """The family as the folder has it."""
    house = House(engine, folder / "models")
    house.registry = KeptRegistry(folder / "aliases.json")
    return house


def _prepare(folder: Path, case: Case) -> None:
    folder.mkdir()
    with disposing(open_engine(f"sqlite:///{folder / 'ledger.db'}")) as engine:
        upgrade(engine)
        house = house_in(engine, folder)
        house.bootstrap()
        case.prepare(house)


def _order_and_die(folder: Path, case: Case, step: str) -> None:
    with disposing(open_engine(f"sqlite:///{folder / 'ledger.db'}")) as engine:
        house = house_in(engine, folder)
        trip(house, step, die)
        execute(house.process(), by_key(case.order))


def _fork(act: Callable[[], object]) -> int:
    """The status with which the child ends: it is killed, or comes to its end with 0."""
    if (child := os.fork()) == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def main() -> None:
    folder = Path(sys.argv[1])
    for name, case in CASES.items():
        prepared = folder / name
        if _fork(partial(_prepare, prepared, case)) != 0:
            sys.exit(f"{name} could not be prepared")
        for step in case.steps:
            own = shutil.copytree(prepared, folder_of(folder, name, step))
            status = _fork(partial(_order_and_die, own, case, step))
            if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
                sys.exit(f"{name} at {step}: it ended with {status} instead of being killed")


if __name__ == "__main__":
    main()
