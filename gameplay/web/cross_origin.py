"""CORS: the pages of RPS_ALLOWED_ORIGINS may use the game's calls."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gameplay.refusals import Forbidden
from gameplay.web.request_ids import HEADER

PREFLIGHT_SECONDS = "600"


class CrossOrigin:
    """ASGI middleware. It replaces Starlette's, which refuses a preflight in plain text instead of JSON.

    The game's calls carry no credentials. So a request from another page is served, and the browser keeps the
    answer from the page; only a preflight is refused.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str], methods: tuple[str, ...]) -> None:
        self._app = app
        self._origins = origins
        self._methods = ", ".join(methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin")
        if scope["method"] == "OPTIONS":
            await self._preflight(origin)(scope, receive, send)
            return

        async def permit(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin in self._origins:
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = f"{HEADER}, Retry-After"
            await send(message)

        await self._app(scope, receive, permit)

    def _preflight(self, origin: str | None) -> Response:
        if origin not in self._origins:
            raise Forbidden(f"RPS_ALLOWED_ORIGINS does not name the origin {origin!r}")
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": self._methods,
                "Access-Control-Allow-Headers": f"Content-Type, {HEADER}",
                "Access-Control-Max-Age": PREFLIGHT_SECONDS,
                "Vary": "Origin",
            },
        )
