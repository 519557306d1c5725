"""Pages and their twins: one struct, as HTML for a browser and as JSON for everyone else."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.web.bodies import answer
from gameplay.web.negotiation import TEXT, media_type
from gameplay.web.request_ids import id_of
from gameplay.web.state import pages_of

HTML = "text/html"
JSON = "application/json"
TWIN = ".json"


def wants_page(request: Request) -> bool:
    """Whether the client prefers HTML to JSON, as a browser does that opens an address."""
    return media_type(request.headers.getlist("accept"), [JSON, HTML], ignored=TEXT) == HTML


def respond(request: Request, template: str, page: Struct, status: int = 200) -> Response:
    """The page for a browser; the same struct as JSON for everyone else, and under an address with `.json`."""
    if request.url.path.endswith(TWIN) or not wants_page(request):
        headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
        return answer(page, status, headers)
    return html(request, template, page, status)


def html(
    request: Request, template: str, page: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The page as HTML, whatever the client accepts."""
    pages = pages_of(request)
    body = pages.render(request, template, page)
    return Response(body, status, {**pages.headers, **(headers or {})}, media_type=HTML)


class Problem(Struct, frozen=True):
    """An error, as its page shows it."""

    status: int
    detail: str
    request_id: str


def problem_page(request: Request, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """An error for a person: what is wrong, and the id under which the log says more."""
    return html(request, "problem.html", Problem(status, detail, id_of(request)), status, headers)


def builtins(page: Struct) -> Any:
    """The struct as its twin has it, for what a script in the page reads."""
    return msgspec.to_builtins(page)
