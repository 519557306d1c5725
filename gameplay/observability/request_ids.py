"""The id of the request that a line of the log is about."""

import logging
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set where a request comes in; a thread that works for the request inherits it."""


class RequestIds(logging.Filter):
    """Gives each record `request_id`, and `request`, which is ready to stand at the end of a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through."""
        known_as = request_id.get()
        record.__dict__ |= {"request_id": known_as, "request": f" [request {known_as}]" if known_as else ""}
        return True
