"""Pages of other origins may use the game's calls, where RPS_ALLOWED_ORIGINS names them (CORS)."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gameplay.refusals import Forbidden
from gameplay.web.request_ids import HEADER

PREFLIGHT_SECONDS = "600"


class CrossOrigin:
    """ASGI middleware. Starlette's own answers a refused preflight in plain text, and everything else as allowed.

    The game's calls carry no credentials, so a page that is not named loses nothing but the answer; only its
    preflight is refused.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str], methods: tuple[str, ...]) -> None:
        self._app = app
        self._origins = origins
        self._methods = ", ".join(methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer a browser's question whether it may make one."""
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
