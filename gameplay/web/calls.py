"""Calls: what each declares about itself, and the Starlette routes made from them."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gameplay.config import Settings
from gameplay.web.access import Guard
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
    shared: bool = False
    """Pages of RPS_ALLOWED_ORIGINS may use it."""
    packed: bool = False
    """Its answers are long: they are compressed for clients that prefer it."""

    @property
    def methods(self) -> tuple[str, ...]:
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


def routes(calls: Iterable[Call], settings: Settings) -> list[Route]:
    """Two routes for each call: a trailing slash makes no difference.

    Starlette would redirect instead, to an address under which the client may not reach this process.
    """
    plain = [_route(call, call.path, settings) for call in calls]
    return plain + [_route(call, f"{call.path}/", settings) for call in calls if call.path != "/"]


def label_of(path: str) -> str:
    """The path of the call to which a route's path belongs."""
    return path.rstrip("/") or "/"


def _route(call: Call, path: str, settings: Settings) -> Route:
    methods, middleware = list(call.methods), []
    if call.shared and settings.allowed_origins:
        methods.append("OPTIONS")
        middleware.append(Middleware(CrossOrigin, settings.allowed_origins, call.methods))
    if call.guarded:
        middleware.append(Middleware(Guard, settings))
    if call.packed:
        middleware.append(Middleware(Compression))
    return Route(path, call.endpoint, methods=methods, middleware=middleware)
