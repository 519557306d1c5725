"""Exchange Production with another alias, by hand; and what every move by hand has to meet."""

from msgspec import structs

from gameplay.models.errors import ModelUnavailable, RegistryUnavailable, StoreUnavailable, VersionReused
from gameplay.promotion.assignments import merged, with_versions
from gameplay.promotion.operator.orders import Origin, SwapOrder
from gameplay.promotion.pins import against
from gameplay.promotion.planning import with_runs
from gameplay.promotion.state import Promotion, StateAt
from gameplay.refusals import Conflict, Invalid, Unavailable
from ledger.events import AliasesPlanned, Assignment, Event
from ledger.vocabulary import CHALLENGERS, Alias
from projections.decision.cycle import plan, versions_of


def exchange(state: StateAt, order: SwapOrder) -> AliasesPlanned:
    """The plan of a swap. Raises Invalid for a version behind no alias, Conflict where nothing would move."""
    before = state.assignment()
    other = _partner(before, order)
    version: int = getattr(before, other)
    after = with_versions(before, {"Production": version, other: before.Production})
    return planned(state, after, order.origin)


def is_exchange(event: Event, order: SwapOrder) -> bool:
    """Whether the event is what this order has become."""
    if not isinstance(event, AliasesPlanned) or event.cause != "manual" or event.undoes is not None:
        return False
    asked = (order.family, order.origin.actor, order.origin.reason)
    production = next(change.after for change in event.assignments if change.alias == "Production")
    is_meant = event.swapped if order.to is None else production == order.to
    return is_meant and (event.model_type, event.actor, event.reason) == asked


def planned(
    state: StateAt, after: Assignment, origin: Origin, *, undoes: int | None = None, swapped: bool | None = None
) -> AliasesPlanned:
    """A plan by hand to another assignment. Raises Conflict where it would move nothing, or what is pinned.

    Whether it is a swap is seen from the versions, unless it is given.
    """
    family, before = state.family, state.assignment()
    if before == after:
        raise Conflict(f"{family}: the aliases are {show(before)} already; there is nothing to move")
    if problem := against(state, versions_of(after)) or merged(before, after):
        raise Conflict(f"{family}: {problem}; nothing is moved")
    move = plan("manual", family, before, after)
    return with_runs(
        structs.replace(
            move,
            swapped=move.swapped if swapped is None else swapped,
            actor=origin.actor,
            reason=origin.reason,
            key=origin.key,
            undoes=undoes,
        ),
        state,
    )


def check_versions(promotion: Promotion, state: StateAt, move: AliasesPlanned) -> None:
    """Raise a refusal where a version of the move is gone or cannot be served, before it is written down.

    A cycle may wait for its registry with an open plan. A person is better told at once.
    """
    family, versions = state.family, {change.after for change in move.assignments}
    moved = {change.after for change in move.assignments if change.before != change.after}
    # An undo brings back all four. Another move leaves those that it does not move as they are, even if lost.
    needed = moved if move.undoes is None else versions
    try:
        runs = promotion.backends.runs(family, versions, state.promotion.run)
        if gone := sorted(needed - runs.keys()):
            raise Invalid(f"version {gone[0]} of {family} does not exist any more; nothing is moved")
        promotion.backends.load(family, moved)
    except (RegistryUnavailable, StoreUnavailable) as error:
        raise Unavailable(f"{error}; nothing is moved") from error
    except VersionReused as error:
        raise Conflict(f"{error}; nothing is moved") from error
    except ModelUnavailable as error:
        raise Invalid(f"{error}; nothing is moved") from error


def show(assignment: Assignment) -> str:
    """The assignment in words."""
    return ", ".join(f"{alias} v{version}" for alias, version in versions_of(assignment).items())


def _partner(before: Assignment, order: SwapOrder) -> Alias:
    """The alias that Production is exchanged with."""
    if order.to is None:
        return "B"
    if order.to == before.Production:
        raise Conflict(f"version {order.to} of {order.family} is behind Production already")
    behind = [alias for alias in CHALLENGERS if getattr(before, alias) == order.to]
    if not behind:
        raise Invalid(
            f"version {order.to} of {order.family} is behind no alias, and a swap exchanges Production with B,"
            f" shadow1 or shadow2: the aliases are {show(before)}"
        )
    return behind[0]
