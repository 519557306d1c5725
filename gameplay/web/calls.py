"""What a route declares about itself, and the Starlette routes made of it."""

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
    """One call: method, path, and who may use it how."""

    method: Literal["GET", "POST"]
    path: str
    endpoint: Endpoint
    guarded: bool = False
    """It changes what a stranger, or a page of another site, may not change."""
    shared: bool = False
    """Pages of RPS_ALLOWED_ORIGINS may use it."""
    packed: bool = False
    """Its answers are long, and packed for clients that want them so."""

    @property
    def methods(self) -> tuple[str, ...]:
        """What the call answers to."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


def routes(calls: Iterable[Call], settings: Settings) -> list[Route]:
    """The routes of the calls; with a slash at its end a path is the same place.

    Starlette would redirect from one to the other, to an address that only this process may know.
    """
    plain = [_route(call, call.path, settings) for call in calls]
    return plain + [_route(call, f"{call.path}/", settings) for call in calls if call.path != "/"]


def label_of(path: str) -> str:
    """The path of the call that a route belongs to."""
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
