"""The id of every request: in its answer, in the body of an error, and in its lines of the log.

The caller's trace, as W3C's Trace Context has it, comes into the lines too. The service makes no spans of its own.
"""

import re

from starlette.requests import Request
from starlette.types import Message, Scope

from gameplay.observability.request_ids import Trace, request_id, trace
from ledger.ids import new_id

HEADER = "X-Request-ID"
_HEADER = HEADER.lower().encode()
# Visible ASCII: anything else could hide in a header or in a line of the log.
_PLAIN = re.compile(r"[!-~]{1,128}").fullmatch
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
).fullmatch


def name_request(scope: Scope) -> str:
    """Give a request its id, which is the caller's if that is plain, and have its lines of the log bear it."""
    given, parents = [], []
    for name, value in scope["headers"]:
        if name == _HEADER:
            given.append(value.decode("latin-1"))
        elif name == b"traceparent":
            parents.append(value.decode("latin-1"))
    known_as: str = given[0] if len(given) == 1 and _PLAIN(given[0]) else new_id()
    scope["state"]["request_id"] = known_as
    # Not reset at the end: the server logs what the application raises later, in the task of this request.
    request_id.set(known_as)
    trace.set(_trace(parents))
    return known_as


def bear_name(message: Message, known_as: str) -> None:
    """Put a request's id into the header of its answer."""
    message["headers"] = [*message.get("headers", ()), (_HEADER, known_as.encode("latin-1"))]


def _trace(given: list[str]) -> Trace | None:
    found = _TRACEPARENT(given[0].strip()) if len(given) == 1 else None
    return Trace(found[1], found[2]) if found else None


def id_of(request: Request) -> str:
    """The id of a request."""
    return str(request.state.request_id)
