"""Errors as answers: a status, and `{"detail": ..., "request_id": ...}`."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gameplay.models.errors import ModelError
from gameplay.refusals import Refusal, TooLarge, TooMany, TooSlow, Unauthorized, Unavailable
from gameplay.web.bodies import answer
from gameplay.web.console.pages import TWIN, problem_page, wants_page
from gameplay.web.request_ids import HEADER, id_of
from gameplay.web.state import masked_of
from ledger.errors import (
    BusyError,
    ClosedError,
    InvalidEventError,
    OvertakenError,
    StorageError,
    UnreadableEventError,
)
from projections.errors import ProjectionError, TooManyFoldsError

log = logging.getLogger(__name__)

RETRY_AFTER = {"Retry-After": "1"}

Handler = Callable[[Request, Any], Awaitable[Response]]


async def _refused(request: Request, error: Refusal) -> Response:
    headers: Mapping[str, str] = {}
    match error:
        case Unauthorized():
            headers = {"WWW-Authenticate": "Bearer"}
        case Unavailable() | TooMany():
            headers = RETRY_AFTER
        case TooLarge() | TooSlow():
            headers = {"Connection": "close"}  # the rest of the body stays unread
        case _:
            pass
    return error_answer(request, error.status, str(error), headers)


async def _http_error(request: Request, error: HTTPException) -> Response:
    return error_answer(request, error.status_code, error.detail, error.headers or {})


async def _unavailable(request: Request, error: Exception) -> Response:
    return error_answer(request, 503, str(error), RETRY_AFTER)


async def _busy(request: Request, error: Exception) -> Response:
    return error_answer(request, 429, str(error), RETRY_AFTER)


async def _invalid_event(request: Request, error: InvalidEventError) -> Response:
    # The checks of the body should have refused this in the caller's words.
    log.error("an event was refused by the codec: %s", error)
    return error_answer(request, 422, str(error))


async def _unexpected(request: Request, _error: Exception) -> Response:
    # This answer passes by the middleware that names it. Starlette raises the error again after it, and the server
    # logs its traceback.
    text = "internal error; the service's log says more, under this request_id"
    return error_answer(request, 500, text, {HEADER: id_of(request)})


def error_answer(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer of an error: a page for a browser, JSON for everyone else.

    A foreign error's text may repeat an address with its password.
    """
    detail = masked_of(request)(text)
    if wants_page(request) and not request.url.path.endswith(TWIN):
        return problem_page(request, status, detail, headers or {})
    return answer({"detail": detail, "request_id": id_of(request)}, status, headers)


HANDLERS: Mapping[Any, Handler] = {
    Refusal: _refused,
    HTTPException: _http_error,
    BusyError: _unavailable,
    ClosedError: _unavailable,
    OvertakenError: _unavailable,
    StorageError: _unavailable,
    UnreadableEventError: _unavailable,
    ProjectionError: _unavailable,
    TooManyFoldsError: _busy,
    ModelError: _unavailable,
    InvalidEventError: _invalid_event,
    Exception: _unexpected,
}
