"""The id of the request to which a line of the log belongs."""

import logging
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set when a request comes in; threads that work for the request inherit it."""


class RequestIds(logging.Filter):
    """Adds `request_id` to each record, and `request`, the same as text for the end of a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        known_as = request_id.get()
        record.__dict__ |= {"request_id": known_as, "request": f" [request {known_as}]" if known_as else ""}
        return True
