"""The id of every request: in its answer, in the body of an error, and in its lines of the log.

The caller's trace, as W3C's Trace Context has it, comes into the lines too. The service makes no spans of its own.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gameplay.observability.request_ids import Trace, request_id, trace
from ledger.ids import new_id

HEADER = "X-Request-ID"
# Visible ASCII: anything else could hide in a header or in a line of the log.
_PLAIN = re.compile(r"[!-~]{1,128}").fullmatch
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
).fullmatch


class RequestIds:
    """ASGI middleware: takes over the caller's id if it is plain, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.getlist(HEADER)
        known_as = given[0] if len(given) == 1 and _PLAIN(given[0]) else new_id()
        scope["state"]["request_id"] = known_as
        # Not reset at the end: the server logs what this raises later, in the task of this request.
        request_id.set(known_as)
        trace.set(_trace(headers.getlist("traceparent")))

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = known_as
            await send(message)

        await self._app(scope, receive, name)


def _trace(given: list[str]) -> Trace | None:
    found = _TRACEPARENT(given[0].strip()) if len(given) == 1 else None
    return Trace(found[1], found[2]) if found else None


def id_of(request: Request) -> str:
    """The id of a request."""
    return str(request.state.request_id)
