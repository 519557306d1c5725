"""GET /live: news of the head as server-sent events; one look at the ledger serves all pages that watch."""

from collections.abc import AsyncIterator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gameplay.serving.service import Service
from gameplay.web.console.overview import as_moved
from gameplay.web.console.watching import Live, Moved, News
from gameplay.web.lanes import Lane
from gameplay.web.queries import flag
from gameplay.web.state import lanes_of, live_of, service_of
from ledger.times import show_time
from projections.read_models.timeline import Line

RETRY_MS = 2_000
"""How long a browser waits before it connects again, after a restart for example."""


def read_news(service: Service, known: News | None = None) -> News:
    """The head's news. Nothing is folded while the head is the one that is known."""
    service.require_caught_up()
    head = service.core.ledger.head()
    if known is not None and known.position == head.position and known.problem is None:
        return known
    read_models = service.core.read_models
    with read_models.projector.current() as position:
        timeline = read_models.timeline.state
        lines = timeline.lines(1)
        moved = _moved(lines[0]) if lines else None
        return News(
            position=position,
            recorded=show_time(read_models.projector.head.recorded_us) if position else None,
            decided=max((one.decided.position for one in timeline.families.values() if one.decided), default=0),
            moved=moved,
        )


def _moved(line: Line) -> Moved:
    shown = as_moved(line)
    return Moved(position=shown.position, family=shown.family, kind=shown.kind, text=shown.text)


async def live(request: Request) -> Response:
    """GET /live."""
    service, lane = service_of(request), lanes_of(request).reads
    service.require_caught_up()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if flag(request, "once"):
        news = await lane(read_news, service)
        return Response(_event(news), headers=headers, media_type="text/event-stream")
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    stream = _stream(live_of(request), lane, service)
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


async def _stream(live: Live, lane: Lane, service: Service) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    known: News | None = None
    with live.watching(partial(lane, read_news, service)):
        while not live.is_over():
            news = await live.after(known)
            if news is not None:
                known = news
                yield _event(news)
            elif not live.is_over():
                yield ": still here\n\n"


def _event(news: News) -> str:
    return f"id: {news.position}\nevent: head\ndata: {msgspec.json.encode(news).decode()}\n\n"
