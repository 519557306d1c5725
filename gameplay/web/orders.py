"""What an operator orders over HTTP: pins, swaps, undoes, and the end of a plan."""

from typing import Any

from msgspec import Struct
from msgspec.structs import astuple
from starlette.requests import Request
from starlette.responses import Response

from gameplay.promotion.operator.execution import Seen, execute, preview
from gameplay.promotion.operator.orders import (
    ApproveOrder,
    CancelOrder,
    Order,
    Origin,
    PinOrder,
    RejectOrder,
    SwapOrder,
    UndoOrder,
    UnpinOrder,
)
from gameplay.refusals import Invalid
from gameplay.serving.service import Service
from gameplay.web.bodies import Line, Prose, answer, decode, read_body
from gameplay.web.keys import idempotency_key
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.queries import parse_instant
from gameplay.web.shapes import OrderTaken, StateSeen
from gameplay.web.state import lanes_of, service_of
from ledger.errors import InvalidTextError
from ledger.facts import Version
from ledger.vocabulary import Alias, Family

ACTOR = "token"
"""Who orders where the body does not say: a caller who has the token."""


class OrderBody(Struct, frozen=True, kw_only=True):
    """What every order says: for which family, and why."""

    model_type: Family
    reason: Prose
    actor: Line | None = None
    dry_run: bool | None = None
    seen: StateSeen | None = None
    """What a dry run has shown: an order for another state is refused."""


class PinBody(OrderBody, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/pin`; `expires` is ISO 8601 or an epoch time."""

    alias: Alias
    version: Version | None = None
    expires: Line | int | float | None = None


class UnpinBody(OrderBody, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/unpin`."""

    alias: Alias


class SwapBody(OrderBody, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/swap`; without `version` Production and B are exchanged."""

    version: Version | None = None


class AnswerBody(OrderBody, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/approve` and `reject`; `plan` is the one that is meant."""

    plan: Version | None = None


_answered = QuotedNumbersDecoder(AnswerBody)
_order = QuotedNumbersDecoder(OrderBody)
_pin = QuotedNumbersDecoder(PinBody)
_unpin = QuotedNumbersDecoder(UnpinBody)
_swap = QuotedNumbersDecoder(SwapBody)


async def pin(request: Request) -> Response:
    """POST /internal/promotion/pin."""
    given = decode(await read_body(request), _pin)
    order = PinOrder(
        family=given.model_type,
        alias=given.alias,
        version=given.version,
        expires_us=_expires_us(given.expires),
        origin=_origin(request, given),
    )
    return await _answer(request, order, given)


async def unpin(request: Request) -> Response:
    """POST /internal/promotion/unpin."""
    given = decode(await read_body(request), _unpin)
    order = UnpinOrder(family=given.model_type, alias=given.alias, origin=_origin(request, given))
    return await _answer(request, order, given)


async def swap(request: Request) -> Response:
    """POST /internal/promotion/swap."""
    given = decode(await read_body(request), _swap)
    order = SwapOrder(family=given.model_type, to=given.version, origin=_origin(request, given))
    return await _answer(request, order, given)


async def undo(request: Request) -> Response:
    """POST /internal/promotion/undo."""
    given = decode(await read_body(request), _order)
    return await _answer(request, UndoOrder(family=given.model_type, origin=_origin(request, given)), given)


async def approve(request: Request) -> Response:
    """POST /internal/promotion/approve."""
    given = decode(await read_body(request), _answered)
    order = ApproveOrder(family=given.model_type, plan=given.plan, origin=_origin(request, given))
    return await _answer(request, order, given)


async def reject(request: Request) -> Response:
    """POST /internal/promotion/reject."""
    given = decode(await read_body(request), _answered)
    order = RejectOrder(family=given.model_type, plan=given.plan, origin=_origin(request, given))
    return await _answer(request, order, given)


async def cancel(request: Request) -> Response:
    """POST /internal/promotion/cancel."""
    given = decode(await read_body(request), _order)
    return await _answer(request, CancelOrder(family=given.model_type, origin=_origin(request, given)), given)


def _origin(request: Request, given: OrderBody) -> Origin:
    return Origin(actor=given.actor or ACTOR, reason=given.reason, key=idempotency_key(request))


def _expires_us(given: str | int | float | None) -> int | None:
    if given is None:
        return None
    try:
        return parse_instant(str(given))
    except InvalidTextError as error:
        raise Invalid(f"expires={given!r} is neither ISO 8601 nor an epoch time") from error


async def _answer(request: Request, order: Order, given: OrderBody) -> Response:
    service = service_of(request)
    service.require_caught_up()
    taken = await lanes_of(request).outside(_take, service, order, given)
    return answer(taken, headers={"Cache-Control": "no-store"})


def _take(service: Service, order: Order, given: OrderBody) -> OrderTaken:
    promotion = service.core.promotion
    if given.dry_run:
        shown = preview(promotion, order)
        found: dict[str, Any] = {"position": None, "applied": None, "repeated": False}
        found |= {"event": shown.event, "since": shown.since, "seen": StateSeen(*shown.seen)}
    else:
        seen = Seen(*astuple(given.seen)) if given.seen else None
        found = {**execute(promotion, order, seen)._asdict(), "since": None, "seen": None}
    return OrderTaken(model_type=order.family, dry_run=bool(given.dry_run), **found)
