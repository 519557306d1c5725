"""Answers compressed with gzip, for clients that prefer it."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Receive, Scope, Send

from gameplay.refusals import NotAcceptable
from gameplay.web.negotiation import coding

LEVEL = 1
"""The text of `/metrics` gets little smaller at higher levels, which cost several times as much."""


class Compression:
    """ASGI middleware. It replaces Starlette's, which reads `gzip;q=0` as a preference for gzip.

    Raises NotAcceptable if the client accepts neither gzip nor an uncompressed body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match coding(Headers(scope=scope).getlist("accept-encoding")):
            case "gzip":
                # Nothing stays nothing: compressed it is twenty bytes, and after a 304 a client takes them for the
                # beginning of its next answer.
                packing = GZipResponder(self._app, 1, LEVEL)
                await packing(scope, receive, send)
            case "identity":
                await IdentityResponder(self._app, 0)(scope, receive, send)
            case None:
                raise NotAcceptable(
                    "Accept-Encoding accepts neither gzip nor identity, the two codings that there are"
                )
