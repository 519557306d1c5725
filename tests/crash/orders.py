"""What an operator orders, each under a key: sent again, it is the same order and is carried out once."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from gameplay.core import Core
from gameplay.promotion import planning
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import (
    ApproveOrder,
    Origin,
    PinOrder,
    RejectOrder,
    SwapOrder,
    UnpinOrder,
)
from gameplay.promotion.pins import holding_at
from gameplay.promotion.rules import set_rules
from ledger.events import Event
from ledger.streams import game_stream
from ledger.vocabulary import POLICY_OF_FAMILY, Alias, Family
from projections.decision.rules import DEFAULT
from tests.builders import game_finished, game_started

ACTOR = "crash suite"
GAMES = 400
"""Of each side: more than players finish until the cycle."""
WAIT_SECONDS = 100_000


def swap(core: Core, family: Family, key: str) -> None:
    """Production and B are exchanged."""
    clear(core, family)
    execute(core.promotion, SwapOrder(family=family, origin=_origin(key)))


def pin(core: Core, family: Family, key: str) -> None:
    """B is held."""
    clear(core, family)
    execute(core.promotion, PinOrder(family=family, alias="B", origin=_origin(key)))


def approve(core: Core, family: Family, key: str) -> None:
    """The swap that waits is carried out."""
    execute(core.promotion, ApproveOrder(family=family, origin=_origin(key)))


def reject(core: Core, family: Family, key: str) -> None:
    """The swap that waits is not carried out."""
    execute(core.promotion, RejectOrder(family=family, origin=_origin(key)))


def favour(core: Core, family: Family, key: str) -> None:
    """A new window, in which the bot wins behind B and loses behind Production: a cycle would swap them."""
    clear(core, family)
    execute(core.promotion, SwapOrder(family=family, origin=_origin(f"{key} before")))
    _favour_b(core, family, key)


def cycle(core: Core, family: Family, key: str) -> None:
    """A cycle."""
    planning.cycle(core.promotion, family, trigger="manual", source=ACTOR, key=key)


def wait(core: Core, family: Family, key: str) -> None:
    """A cycle decides a swap, which then waits for its approval."""
    favour(core, family, key)
    set_rules(core.promotion, {family: replace(DEFAULT, approval_seconds=WAIT_SECONDS)}, actor=ACTOR)
    cycle(core, family, key)
    plan = core.promotion.state(family).promotion.plan
    assert plan is not None, "the cycle has decided no swap"
    assert plan.waits


ORDERS: Mapping[str, Callable[[Core, Family, str], None]] = {
    order.__name__: order for order in (swap, pin, approve, reject, favour, cycle, wait)
}


def clear(core: Core, family: Family) -> None:
    """Close what earlier orders have left, so that the next one meets no refusal: a swap that waits, pins."""
    origin = Origin(actor=ACTOR, reason="another order comes")
    plan = core.promotion.state(family).promotion.plan
    if plan is not None and plan.waits:
        execute(core.promotion, RejectOrder(family=family, origin=origin))
    for alias in holding_at(core.promotion.state(family)):
        execute(core.promotion, UnpinOrder(family=family, alias=alias, origin=origin))


def _favour_b(core: Core, family: Family, key: str) -> None:
    state = core.promotion.state(family)
    assignment = state.assignment()
    sides: tuple[tuple[Alias, str], ...] = (("Production", "user"), ("B", "bot"))
    appends = []
    for alias, winner in sides:
        for number in range(GAMES):
            game_id = f"{key} {alias} {number}".replace(" ", "-")
            labels = {
                "game_id": game_id,
                "model_type": family,
                "policy": POLICY_OF_FAMILY[family],
                "alias": alias,
                "model_version": getattr(assignment, alias),
                "swap_count": state.window.swap_count,
            }
            played: list[Event] = [
                game_started(**labels, assignment=assignment),
                game_finished(**labels, winner=winner),
            ]
            appends.append(core.ledger.prepare(game_stream(game_id), played, 0))
    core.ledger.append_all(appends)


def _origin(key: str) -> Origin:
    return Origin(actor=ACTOR, reason="to be killed", key=key)
