"""What the description of a call consists of."""

from dataclasses import dataclass
from typing import Any

JSON, CSV, HTML, STREAM = "application/json", "text/csv", "text/html", "text/event-stream"


@dataclass(frozen=True)
class Parameter:
    """A parameter in a query, a path or a header; `example` is what a reader would send."""

    name: str
    type: Any
    example: Any
    help: str = ""
    repeated: bool = False
    needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Described:
    """One call. `statuses` are answers of its own shape; `errors` are a Problem, beside the common ones.

    Without an `example` one is made from the answer's type: that will do for what only our own pages read.
    """

    summary: str
    answer: Any
    example: Any = None
    media: tuple[str, ...] = (JSON,)
    body: type | None = None
    body_example: Any = None
    path: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    statuses: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
