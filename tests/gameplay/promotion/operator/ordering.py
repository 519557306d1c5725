"""Orders of one operator for one family, and what a house shows after them."""

from collections.abc import Callable
from typing import Any

from gameplay.promotion.operator.execution import Done, execute
from gameplay.promotion.operator.orders import Order, Origin, PinOrder, SwapOrder, UndoOrder, UnpinOrder
from ledger.vocabulary import Alias
from tests.gameplay.faults import crash
from tests.gameplay.promotion.house import FAMILY, House

SECOND_US = 1_000_000
APPENDS = ("before append 1", "after append 1")
STEPS = (
    *APPENDS,
    *(f"before alias {number}" for number in range(1, 5)),
    "before append 2",
    "after append 2",
)
"""At which an order that moves aliases can die: the ledger's two appends, and four aliases between them."""


def trip(house: House, step: str, action: Callable[[], object] = crash) -> None:
    """Have the action happen at a step of the next order."""
    when, what, number = step.split()
    if what == "alias":
        house.registry.at_assignment(int(number), action)
    elif when == "before":
        house.ledger.before_append(int(number), action)
    else:
        house.ledger.after_append(int(number), action)


def origin(**changes: Any) -> Origin:
    return Origin(**{"actor": "ada", "reason": "the campaign", **changes})


def pin(alias: Alias = "Production", version: int | None = None, expires_us: int | None = None) -> PinOrder:
    return PinOrder(family=FAMILY, alias=alias, version=version, expires_us=expires_us, origin=origin())


def unpin(alias: Alias = "Production") -> UnpinOrder:
    return UnpinOrder(family=FAMILY, alias=alias, origin=origin())


def swap(to: int | None = None, **changes: Any) -> SwapOrder:
    return SwapOrder(family=FAMILY, to=to, origin=origin(**changes))


def undo(**changes: Any) -> UndoOrder:
    return UndoOrder(family=FAMILY, origin=origin(**changes))


def order(house: House, *orders: Order) -> list[Done]:
    """Each order carried out, by one process after another."""
    return [execute(house.process(), one) for one in orders]
