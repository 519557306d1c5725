"""The event feed as server-sent events: what comes is sent on, until the client leaves or the service stops.

Source: the HTML Living Standard, section 9.2, Server-sent events.
"""

import time
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gameplay.refusals import Conflict, Refusal
from gameplay.web.feed import LIMIT, POSITION_MAX, Asked, FeedEvent, asked_for, check_reached, read_page
from gameplay.web.queries import one, whole
from gameplay.web.state import lanes_of, limits_of, service_of, streams_of
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole

MEDIA = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LOOK_SECONDS = 0.5
RETRY_MILLISECONDS = 2_000


async def stream(request: Request) -> Response:
    """GET /internal/ledger/stream."""
    asked = await _asked(request)
    events_max = whole(request, "limit", POSITION_MAX, 1, POSITION_MAX)
    if request.method == "HEAD":
        return Response(headers=HEADERS, media_type=MEDIA)
    streams_of(request).require_place()
    return StreamingResponse(_follow(request, asked, events_max), headers=HEADERS, media_type=MEDIA)


async def _asked(request: Request) -> Asked:
    """From where to go on: after the last event that the client has got, else as the query says, else from now.

    Raises Refusal, and Conflict for a position that the ledger has not reached.
    """
    asked, last = asked_for(request), request.headers.getlist("last-event-id")
    if len(last) > 1:
        raise Refusal(f"Last-Event-ID is given {len(last)} times; give it once")
    if last:
        asked = asked._replace(after=_position(last[0]))
    head = await lanes_of(request).reads(check_reached, service_of(request).core.ledger, asked.after)
    return asked if last or one(request, "after") is not None else asked._replace(after=head)


def _position(text: str) -> int:
    try:
        position = parse_whole(text)
    except InvalidTextError as error:
        raise Refusal(f"Last-Event-ID {text!r} is no position") from error
    if not 0 <= position <= POSITION_MAX:
        raise Refusal(f"Last-Event-ID must lie between 0 and {POSITION_MAX}")
    return position


async def _follow(request: Request, asked: Asked, events_max: int) -> AsyncIterator[bytes]:
    streams, heartbeat_seconds = streams_of(request), limits_of(request).heartbeat_seconds
    ledger, reads = service_of(request).core.ledger, lanes_of(request).reads
    with streams.place():
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        sent_at = time.monotonic()
        while events_max and not streams.is_over():
            try:
                page = await reads(read_page, ledger, asked, min(LIMIT, events_max))
            except Conflict:
                return  # the database has lost what was sent: the client connects again, and hears it then
            for event in page.events:
                yield _message(event)
            asked = asked._replace(after=page.through)
            events_max -= len(page.events)
            if page.events:
                sent_at = time.monotonic()
            elif time.monotonic() - sent_at >= heartbeat_seconds:
                # The id comes along, so that a client whose types are rare does not go back to its last event.
                yield f": heartbeat\nid: {page.through}\n\n".encode()
                sent_at = time.monotonic()
            if page.through >= page.head and not (events_max and await streams.wait(LOOK_SECONDS)):
                return


def _message(event: FeedEvent) -> bytes:
    """A message whose data is one line: JSON has no line breaks of its own."""
    data = msgspec.json.encode(event)
    # A stored payload may hold them between its tokens; within a text they are escaped.
    one_line = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.position, event.type.encode(), one_line)
