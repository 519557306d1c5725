"""The request to which a line of the log belongs: its id, and the trace that the caller is in."""

import logging
from contextvars import ContextVar
from typing import NamedTuple


class Trace(NamedTuple):
    """The caller's place in a trace, as its `traceparent` names it: two lower-case hexadecimal numbers."""

    trace_id: str
    span_id: str


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set when a request comes in; threads that work for the request inherit it."""
trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


class RequestIds(logging.Filter):
    """Adds what is known of the request to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        known_as, traced = request_id.get(), trace.get()
        record.request = {**({"request_id": known_as} if known_as else {}), **(traced._asdict() if traced else {})}
        return True
