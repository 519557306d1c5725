"""At which position a page looks: the head, or `?at=POSITION` or a time."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct
from starlette.requests import Request

from gameplay.refusals import Refusal
from gameplay.serving.service import Service
from gameplay.web.queries import one, parse_instant
from gameplay.web.state import lanes_of, service_of
from ledger.errors import InvalidTextError
from ledger.times import show_time
from projections.errors import PositionError
from projections.positions import check_position, parse_position, position_at
from projections.read_models.states import States, states_of

PageT = TypeVar("PageT")


class AsOf(Struct, frozen=True, kw_only=True):
    """The position that a page shows, when it was recorded, and the head at that time."""

    position: int
    recorded: str | None
    head: int
    is_past: bool


class Looked(Struct, frozen=True):
    """What a page is made from: all states at one position, and the time at which it looks at them."""

    as_of: AsOf
    states: States
    now_us: int


Build = Callable[[Service, Looked], PageT]
"""Makes a page. At the head the projector is held meanwhile, so it does nothing that takes long."""


async def look(
    request: Request,
    build: Build[PageT],
) -> PageT:
    """What `build` makes of the states at the position that the request names, in a thread.

    Raises Unavailable before the first catch-up, and Refusal for a position that there is not.
    """
    service = service_of(request)
    service.require_caught_up()
    reads = lanes_of(request).reads
    position = await reads(asked_position, request, service)
    if position is None:
        return await reads(_at_head, service, build)
    states = await lanes_of(request).past(service.past.at, position)
    return await reads(_at_past, service, states, build)


async def look_through(request: Request, build: Callable[[Service, AsOf], PageT]) -> PageT:
    """What `build` makes of the ledger up to the position that the request names, in a thread; no state is folded.

    Raises Unavailable before the first catch-up, and Refusal for a position that there is not.
    """
    service = service_of(request)
    service.require_caught_up()
    return await lanes_of(request).reads(_through, request, service, build)


def _through(request: Request, service: Service, build: Callable[[Service, AsOf], PageT]) -> PageT:
    position, ledger = asked_position(request, service), service.core.ledger
    head = ledger.head()
    if position is None or position == head.position:
        shown, recorded_us = head.position, head.recorded_us
    else:
        shown, recorded_us = position, ledger.read(position - 1, limit=1)[0].recorded_us
    as_of = AsOf(
        position=shown,
        recorded=show_time(recorded_us) if shown else None,
        head=head.position,
        is_past=position is not None,
    )
    return build(service, as_of)


def asked_position(request: Request, service: Service) -> int | None:
    """The position of `?at=`; None for the head. Raises Refusal."""
    text = (one(request, "at") or "").strip()
    if not text:
        return None
    ledger = service.core.ledger
    try:
        position = parse_position(text)
        if position is not None:
            check_position(ledger, position)
        else:
            position = position_at(ledger, parse_instant(text))
    except (PositionError, InvalidTextError) as error:
        raise Refusal(f"at={text!r}: {error}") from error
    return None if position == ledger.head().position else position


def _at_head(
    service: Service,
    build: Build[PageT],
) -> PageT:
    now_us = service.core.ledger.now_us()
    read_models = service.core.read_models
    with read_models.projector.current():
        states = states_of(read_models)
        return build(service, Looked(_as_of(states, states.position), states, now_us))


def _at_past(
    service: Service,
    states: States,
    build: Build[PageT],
) -> PageT:
    as_of = _as_of(states, service.core.ledger.head().position)
    return build(service, Looked(as_of, states, states.recorded_us))


def _as_of(states: States, head: int) -> AsOf:
    return AsOf(
        position=states.position,
        recorded=show_time(states.recorded_us) if states.position else None,
        head=head,
        is_past=states.position < head,
    )
