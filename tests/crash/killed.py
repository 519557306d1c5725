"""A process of the product that kills itself with SIGKILL at a named moment: `python -m tests.crash.killed`.

    python -m tests.crash.killed MOMENT NUMBER serve
    python -m tests.crash.killed MOMENT NUMBER swap FAMILY KEY
    python -m tests.crash.killed MOMENT NUMBER train --force

NUMBER says at which passing of the moment; 0 is never. Nothing in the product knows of this: the moment is put
around one of its functions before it starts.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from functools import reduce
from itertools import count
from typing import Any, NamedTuple, cast

from gameplay.commands.opened import opened
from gameplay.config import read_settings
from ledger.vocabulary import Family
from tests.crash.orders import ORDERS


class Moment(NamedTuple):
    """Before or after a function of the product, given as a module and a dotted name in it."""

    module: str
    function: str
    before: bool


MOMENTS = {
    "before an append": Moment("ledger.store", "Ledger.append_all", before=True),
    "after an append, before its answer": Moment("ledger.store", "Ledger.append_all", before=False),
    "before the registry is looked at": Moment("gameplay.serving.service", "_adopt", before=True),
    # In an order these are its first append, which orders, and the second one, which says that it is done.
    "before an order is written": Moment("gameplay.promotion.state", "Promotion.append", before=True),
    "after an order is written": Moment("gameplay.promotion.state", "Promotion.append", before=False),
    "before a plan is completed": Moment("gameplay.promotion.state", "Promotion.append", before=True),
    "after a plan is completed": Moment("gameplay.promotion.state", "Promotion.append", before=False),
    "before an alias is set": Moment("gameplay.models.registry", "MlflowRegistry.assign", before=True),
    "after an alias is set": Moment("gameplay.models.registry", "MlflowRegistry.assign", before=False),
    "before a marker is set": Moment("gameplay.promotion.backends", "Backends.mark", before=True),
    "before an arrival is noted": Moment("gameplay.serving.webhook", "Webhook._arrived", before=True),
    "after an arrival is noted": Moment("gameplay.serving.webhook", "Webhook._arrived", before=False),
    "between two snapshots": Moment("projections.snapshots", "save", before=False),
    "before a seal": Moment("ledger.sealing.seals", "seal_head", before=True),
    "after a seal, before it is archived": Moment("ledger.sealing.seals", "seal_head", before=False),
    "before a migration": Moment("alembic.command", "upgrade", before=True),
    "after a migration, before its commit": Moment("alembic.command", "upgrade", before=False),
    "before a version is registered": Moment("gameplay.models.registry", "MlflowRegistry.register", before=True),
    "after a version is registered": Moment("gameplay.models.registry", "MlflowRegistry.register", before=False),
    "before trained versions are planned": Moment("gameplay.training.retraining", "_place", before=True),
}


def arm(moment: Moment, number: int) -> None:
    """Have the process die at the so many-th passing of a moment."""
    *path, name = moment.function.split(".")
    owner = reduce(getattr, path, importlib.import_module(moment.module))
    function: Callable[..., Any] = getattr(owner, name)
    passings = count(1)

    def passing(*given: Any, **named: Any) -> Any:
        mine = next(passings)  # other threads pass meanwhile
        if mine == number and moment.before:
            die()
        answer = function(*given, **named)
        if mine == number:
            die()
        return answer

    setattr(owner, name, passing)


def die() -> None:
    """As `kill -9` from outside: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


def order(name: str, family: str, key: str) -> None:
    """Carry an operator's order out, as a command does."""
    with opened(read_settings(os.environ)) as core:
        ORDERS[name](core, cast(Family, family), key)


def main() -> None:
    """Arm, then run what is asked for."""
    moment, number, command, *rest = sys.argv[1:]
    if int(number):
        arm(MOMENTS[moment], int(number))
    if command in ORDERS:
        order(command, *rest)
    else:
        from gameplay.cli import main as rps

        sys.argv = ["rps", command, *rest]
        rps()


if __name__ == "__main__":
    main()
