"""One line of the log for each request, where RPS_ACCESS_LOG asks for them."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)


class AccessLog:
    """ASGI middleware: logs method, path, status and duration. A query may hold what is not for the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, note)
        finally:
            facts = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "milliseconds": round(1_000 * (time.perf_counter() - began), 3),
                "client": (scope.get("client") or (None,))[0],
            }
            text = "{method} {path!a} {status} {milliseconds} ms".format(**facts)
            log.info("%s", text, extra={"facts": facts})
