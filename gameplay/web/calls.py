"""Calls: what each declares about itself, and the Starlette routes made from them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gameplay.config import Settings
from gameplay.serving.roles import PARTS, Part, misdirected
from gameplay.web.access import Guard, OwnPages, TokenGuard
from gameplay.web.compression import Compression
from gameplay.web.cross_origin import CrossOrigin

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A method on a path, and who may use it."""

    method: Literal["GET", "POST"]
    path: str
    endpoint: Endpoint
    guarded: bool = False
    """It changes something that strangers, and pages of other sites, must not change."""
    ordered: bool = False
    """An operator's order: JSON alone, and from the service's own pages or from none."""
    signed: bool = False
    """Its sender signs each request, which stands for the token."""
    secret: bool = False
    """Where a token is set, only those who have it may read this."""
    shared: bool = False
    """Pages of RPS_ALLOWED_ORIGINS may use it."""
    part: Part | None = "views"
    """The part of the service that answers; None: every process does."""
    packed: bool = False
    """Its answers are long: they are compressed for clients that prefer it."""
    endless: bool = False
    """Its answer is a stream without an end, unless `?once=1` asks for one."""
    twin: bool = False
    """It is a page: under its path with `.json` it answers JSON whatever the client prefers."""

    @property
    def methods(self) -> tuple[str, ...]:
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every path under which it answers. The twin's first: a parameter would take its ending too."""
        if self.path == "/":
            return (self.path,)
        return (*((f"{self.path}.json",) if self.twin else ()), self.path, f"{self.path}/")


def routes(calls: Sequence[Call], settings: Settings) -> list[Route]:
    """A route for each spelling of each call: a trailing slash makes no difference.

    Starlette would redirect instead, to an address under which the client may not reach this process.
    """
    found = [_route(call, path, settings) for call in calls for path in call.spellings]
    methods: dict[str, list[str]] = {}
    for call in calls:
        for path in call.spellings:
            methods.setdefault(path, []).extend(call.methods)
    # Last, because they take every method. Starlette's own 405 names the methods of one route, and not of a path.
    others = [Route(path, OtherMethod(methods[path])) for path in methods]
    return found + others


class OtherMethod:
    """ASGI application: answers the methods that no call on a path takes. A function would take GET alone."""

    def __init__(self, methods: Iterable[str]) -> None:
        self._headers = {"Allow": ", ".join(methods)}

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise HTTPException(405, headers=self._headers)


def direct(calls: Sequence[Call], settings: Settings) -> dict[tuple[str, str], Route]:
    """Method and path -> the route of each call that these two name, and that no middleware stands before."""
    return {
        (method, path): _route(call, path, settings)
        for call in calls
        for path in call.spellings
        for method in call.methods
        if "{" not in path and not _middleware(call, settings)
    }


def _route(call: Call, path: str, settings: Settings) -> Route:
    if call.part is not None and call.part not in PARTS[settings.role]:
        # Whatever else is wrong with it: another process is asked, and says so.
        return Route(path, _elsewhere(call.part), methods=list(call.methods))
    preflight = ["OPTIONS"] if call.shared and settings.allowed_origins else []
    methods = [*call.methods, *preflight]
    return Route(path, call.endpoint, methods=methods, middleware=_middleware(call, settings))


def _middleware(call: Call, settings: Settings) -> list[Middleware]:
    """What a request for the call passes first."""
    passed = []
    if call.shared and settings.allowed_origins:
        passed.append(Middleware(CrossOrigin, settings.allowed_origins, call.methods))
    if call.guarded:
        passed.append(Middleware(Guard, settings))
    if call.ordered:
        passed.append(Middleware(OwnPages, settings))
    if call.secret:
        passed.append(Middleware(TokenGuard, settings))
    if call.packed:
        passed.append(Middleware(Compression))
    return passed


def _elsewhere(part: Part) -> Endpoint:
    """Refuses a call that a process of another role answers."""

    async def refuse(request: Request) -> Response:
        raise misdirected(part, f"{request.method} {request.url.path}")

    return refuse
