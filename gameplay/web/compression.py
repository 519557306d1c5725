"""Bodies packed with gzip for clients that want them so."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Receive, Scope, Send

from gameplay.refusals import NotAcceptable
from gameplay.web.negotiation import coding

LEVEL = 1
"""The text of `/metrics` gets little smaller at higher levels, which cost several times as much."""


class Compression:
    """ASGI middleware in the place of Starlette's, which takes `gzip;q=0` for a wish to get gzip.

    Raises NotAcceptable where the client takes neither gzip nor a body as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        match coding(Headers(scope=scope).getlist("accept-encoding")):
            case "gzip":
                packing = GZipResponder(self._app, 0, LEVEL)
                await packing(scope, receive, send)
            case "identity":
                await IdentityResponder(self._app, 0)(scope, receive, send)
            case None:
                raise NotAcceptable("Accept-Encoding takes neither gzip nor identity, and there is nothing else")
