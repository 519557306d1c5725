"""How many requests, how long they took; labels from the routes, so no request can create a series."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNROUTED = "other"
METHODS = frozenset({"GET", "HEAD", "POST"})
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class HttpMetrics:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "rps_http_requests", "HTTP requests.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "rps_http_request_duration_seconds",
            "How long HTTP requests took.",
            ("route",),
            buckets=BUCKETS_SECONDS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and note its status and duration."""
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
            route = getattr(scope.get("route"), "path", UNROUTED)
            method = scope["method"] if scope["method"] in METHODS else UNROUTED
            self._seconds.labels(route).observe(time.perf_counter() - began)
            self._requests.labels(method, route, str(status)).inc()
