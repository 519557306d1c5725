"""What every request passes on its way in and out: it gets an id, and is counted, timed and logged."""

import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gameplay.web.request_ids import bear_name, name_request

Note = Callable[[Scope, int, float], None]
"""Takes in a request that is over: its scope, the status of its answer and the seconds that it took."""


class Front:
    """ASGI middleware. It is one for all of that: each would wrap `send`, and be called for every message."""

    def __init__(self, app: ASGIApp, notes: Sequence[Note] = ()) -> None:
        self._app = app
        self._notes = tuple(notes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known_as = name_request(scope)
        status = 500

        async def name(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                bear_name(message, known_as)
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, name)
        finally:
            seconds = time.perf_counter() - began
            for note in self._notes:
                note(scope, status, seconds)
