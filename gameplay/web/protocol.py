"""HTTP/1.1 with limits on time, bytes, headers and connections.

uvicorn reads a header without a limit on time or size. It closes connections with bytes unread, and the client's
kernel then discards the answer that says why.
"""

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gameplay.web.bodies import WHOLE_BODY
from gameplay.web.connections import Connections
from gameplay.web.limits import Limits
from gameplay.web.request_ids import HEADER
from ledger.ids import new_id

SEPARATORS_BYTES = 4
"""A colon, a blank and a line's end."""


class Refused(Exception):  # noqa: N818 - it ends the reading of a header, and is no fault of ours
    """Raised inside the parser's callbacks, to stop it."""


class BoundedProtocol(HttpToolsProtocol):
    """The server's side of one connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        room: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._room = room
        self._in_header = True
        """True between two requests as well."""
        self._unread = False
        """A request has begun to arrive and is not complete."""
        self._header_just_came = False
        """The header is complete, and was not before the bytes that are parsed now."""
        self._bytes_fed = self._bytes_parsed = 0
        self._refusal = HTTPStatus.BAD_REQUEST, "this is no HTTP request"
        self._header_deadline: TimerHandle | None = None
        self._write_deadline: TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or answer 503."""
        self._closing = LingeringTransport(cast(asyncio.Transport, transport), self.loop, self._limits)
        super().connection_made(cast(asyncio.Transport, self._closing))
        if self._room.enter(self):
            self._begin_header()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "every connection has a request in progress; try again")

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.leave(self)
        self._closing.lose()
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes; after the last answer, drop them."""
        if self._closing.is_closing():
            return
        if self._in_header:
            self._bytes_fed += len(data)
            if self._header_deadline is None:
                self._begin_header()
        super().data_received(data)
        self._header_just_came = False
        # The parser keeps an unfinished line to itself, however long it is.
        if self._in_header and self._bytes_fed > self._limits.header_bytes and not self._closing.is_closing():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._unread = True
        self._bytes_parsed = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the header. Lines after a chunked body are counted, and dropped."""
        if self._in_header:
            super().on_header(name, value)
        self._count(len(name) + len(value) + SEPARATORS_BYTES)
        if len(self.headers) > self._limits.headers:
            self._stop_parsing(f"the header has more than {self._limits.headers} lines")

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        self._in_header = False
        self._bytes_fed = 0
        self._cancel_header_deadline()
        self._room.begin(self)
        super().on_headers_complete()
        self._header_just_came = True

    def on_message_complete(self) -> None:
        """Leave the body with its request, unless the application may have begun to read it."""
        if self._header_just_came:
            cast(dict[str, object], self.scope)[WHOLE_BODY] = bytes(self.cycle.body)
        self._in_header = True
        self._unread = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request if this one was read in full, else close."""
        super().on_response_complete()
        if self._answering():
            return  # the client has sent its next request ahead
        if self._unread and not self._in_header:
            self.transport.close()  # nothing else limits how long the rest of the body may take
        else:
            self._room.rest(self)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the text is ours
        """The parser has stopped: a callback has stopped it, or the bytes are no HTTP."""
        self._refuse(*self._refusal)

    def pause_writing(self) -> None:
        """Start the time in which the client must read its answer."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(self._limits.write_seconds, self._closing.abort)

    def resume_writing(self) -> None:
        """The client reads its answer again."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def shutdown(self) -> None:
        """Finish the request in progress, and close. A stream hears that it has to end."""
        if (stopping := self.app_state.get("stopping")) is not None:
            stopping.begin()
        if self.cycle is None or self.cycle.response_complete:
            self._closing.close_now()
        else:
            self.cycle.keep_alive = False

    def make_room(self) -> None:
        self._closing.close_now()

    def _count(self, size: int) -> None:
        self._bytes_parsed += size
        if self._bytes_parsed > self._limits.header_bytes:
            self._stop_parsing(self._too_large())

    def _too_large(self) -> str:
        return f"the header is larger than {self._limits.header_bytes} bytes"

    def _stop_parsing(self, text: str) -> None:
        self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text
        raise Refused(text)

    def _begin_header(self) -> None:
        self._header_deadline = self.loop.call_later(self._limits.header_seconds, self._overdue)

    def _cancel_header_deadline(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _overdue(self) -> None:
        if self._answering():
            self._begin_header()  # a request that was sent ahead is not due before the answer to this one
        elif self._bytes_fed:
            seconds = self._limits.header_seconds
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the header has not arrived within {seconds:g} seconds")
        else:
            self._closing.close_now()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer, and close when the client has had time to read it."""
        self._stop_timers()
        if self._answering():  # a second answer would cut the first one short
            self.cycle.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
            return
        known_as = new_id()
        body = msgspec.json.encode({"detail": text, "request_id": known_as})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"{HEADER.lower()}: {known_as}",
            *(["retry-after: 1"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
            "connection: close",
        )
        self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()

    def _stop_timers(self) -> None:
        self._cancel_header_deadline()
        self._unset_keepalive_if_required()
        if self._write_deadline is not None:
            self._write_deadline.cancel()


class LingeringTransport:
    """A transport that reads on for a while after its last answer, and drops what it reads.

    A kernel sends a reset if it closes a socket with bytes unread. At a reset the other kernel discards what its
    program has not read yet, which is the answer that says what was wrong.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self._transport = transport
        self._loop = loop
        self._limits = limits
        self._lingering = False
        self._lost = False
        self._timer: TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._lingering or self._transport.is_closing()

    def pause_reading(self) -> None:
        if not self._lingering:
            self._transport.pause_reading()

    def close(self) -> None:
        """Send what is written and the end of the stream; close when the client does, or when time is up."""
        if self._lost or self.is_closing():
            return
        self._lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._later(self._limits.linger_seconds, self.close_now)

    def close_now(self) -> None:
        """Close when what is written has been sent, or when the client has had its time to read it."""
        if not self._lost:
            self._transport.close()
            self._later(self._limits.write_seconds, self.abort)

    def abort(self) -> None:
        """Close, and discard what is not sent yet."""
        if not self._lost:
            self._transport.abort()

    def lose(self) -> None:
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)
