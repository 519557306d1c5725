import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gameplay import refusals
from gameplay.models.errors import RegistryUnavailable, StoreUnavailable
from gameplay.refusals import Refusal
from gameplay.web.errors import HANDLERS
from gameplay.web.front import Front
from ledger.errors import BusyError, ClosedError, ConflictError, DiskFullError, StorageError
from ledger.masking import Masking
from projections.errors import ProjectionError, TooManyFoldsError

REFUSALS = [one for one in vars(refusals).values() if isinstance(one, type) and issubclass(one, Refusal)]
FOR_NOW = [
    BusyError(10, 10),
    ClosedError(),
    ConflictError("game-1", 1, 2),
    DiskFullError("no space"),
    StorageError("locked"),
    ProjectionError(7, "game.finished", "no such game"),
    RegistryUnavailable("answer", "it is down"),
    StoreUnavailable("read", "it is down"),
]


def answer_to(error: Exception) -> tuple[int, dict[str, str], dict[str, str]]:
    """Status, headers and body of what a call that raises is answered."""

    async def fail(_request: Request) -> Response:
        raise error

    app = Starlette(routes=[Route("/", fail)], middleware=[Middleware(Front)], exception_handlers=dict(HANDLERS))

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"masked": Masking(["hunter2"])}}, receive, send)

    response = TestClient(with_state, raise_server_exceptions=False).get("/")
    return response.status_code, dict(response.headers), response.json()


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_a_refusal_is_its_status_and_its_words(refusal: type[Refusal]) -> None:
    status, headers, body = answer_to(refusal("because of hunter2"))

    assert status == refusal.status
    assert body == {"detail": "because of ***", "request_id": headers["x-request-id"]}
    assert ("retry-after" in headers) == (status in (429, 503))
    assert (headers.get("connection") == "close") == (status in (408, 413))


def test_too_many_past_folds_are_429_with_a_time_to_try_again() -> None:
    status, headers, body = answer_to(TooManyFoldsError(2))

    assert (status, headers["retry-after"]) == (429, "1")
    assert "past states" in body["detail"]


@pytest.mark.parametrize("error", FOR_NOW, ids=lambda one: type(one).__name__)
def test_what_may_be_better_in_a_moment_is_503(error: Exception) -> None:
    status, headers, body = answer_to(error)

    assert (status, headers["retry-after"], body["detail"]) == (503, "1", str(error))


def test_an_error_of_ours_says_nothing_of_itself() -> None:
    status, headers, body = answer_to(RuntimeError("secret words"))

    assert status == 500
    assert "secret words" not in body["detail"]
    assert body["request_id"] == headers["x-request-id"]


def test_an_error_of_starlettes_keeps_its_headers() -> None:
    status, headers, body = answer_to(HTTPException(405, headers={"Allow": "GET"}))

    assert (status, headers["allow"], body["detail"]) == (405, "GET", "Method Not Allowed")
