"""How many requests there were and how long they took.

Routes, methods and status classes are closed sets, and every series starts at 0: no request creates a series, and
`increase()` sees the first error of a route.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import Scope

from gameplay.observability.process_series import STATUS_CLASSES
from gameplay.web.calls import Call

OTHER = "other"
"""Stands for all unknown paths, and for all methods that a path does not take."""
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class HttpMetrics:
    """Counts and times requests."""

    def __init__(self, registry: CollectorRegistry, calls: Iterable[Call]) -> None:
        calls = tuple(calls)
        self._labels = {spelling: call.path for call in calls for spelling in call.spellings}
        known = {(method, call.path) for call in calls for method in call.methods}
        paths = {path for _, path in known} | {OTHER}
        requests = Counter("rps_http_requests", "HTTP requests.", ("method", "route", "status"), registry=registry)
        seconds = Histogram(
            "rps_http_request_duration_seconds",
            "How long HTTP requests took.",
            ("route",),
            buckets=BUCKETS_SECONDS,
            registry=registry,
        )
        self._requests = {
            (method, path, status): requests.labels(method, path, status)
            for method, path in sorted(known | {(OTHER, path) for path in paths})
            for status in STATUS_CLASSES
        }
        endless = {call.path for call in calls if call.endless}
        self._seconds = {path: seconds.labels(path) for path in sorted(paths - endless)}

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and time a request, under the route by which it was answered."""
        path = self._labels[scope["route"].path] if "route" in scope else OTHER
        if path in self._seconds:
            self._seconds[path].observe(seconds)
        key = (scope["method"], path, f"{status // 100}xx")
        self._requests[key if key in self._requests else (OTHER, path, key[2])].inc()
