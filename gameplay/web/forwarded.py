"""What a proxy says of a request that it has passed on: the caller, and by which scheme and host they came."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

FORWARDED_HOST: Final = "rps.forwarded_host"
"""In the scope: the host that the caller named to a proxy that is trusted."""


class Forwarded:
    """ASGI middleware: takes X-Forwarded-For, -Proto and -Host from the peers that are trusted, and from no other.

    uvicorn reads the first two. The host goes into links alone: whether a page is this service's own is decided by
    `Host`, since a page that has made its name resolve to this machine can send any other header.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        # Its types are those of asgiref, which Starlette's fit and do not equal.
        self._proxied = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if scope["type"] == "http" and peer and peer[0] in self._proxied.trusted_hosts:
            for name, value in scope["headers"]:
                if name == b"x-forwarded-host":
                    # A proxy behind a proxy appends: the first is what the caller said.
                    scope[FORWARDED_HOST] = value.decode("latin-1").partition(",")[0].strip()
                    break
        await self._proxied(scope, receive, send)  # type: ignore[arg-type]
