"""/decisions: the promotion cycles as a table, to filter, to sort and to page through."""

from typing import Any, Literal
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.pages import respond
from gameplay.web.queries import choice, choices, one, time_us, whole
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.decision.rules import KNOWN_RULES
from projections.read_models.history import Query
from projections.read_models.history_row import render

LIMIT = 50
LIMIT_MAX = 200
ID_MAX = 2**53

Order = Literal["desc", "asc"]
ORDERS: tuple[Order, ...] = ("desc", "asc")


class DecisionList(Struct, frozen=True, kw_only=True):
    """A page of the cycles, as rows of `/internal/promotion/history`; `next` is the query of the page after it."""

    as_of: AsOf
    model_types: tuple[str, ...]
    decisions: tuple[str, ...]
    rule: str | None
    since: str | None
    until: str | None
    order: Order
    limit: int
    rows: list[dict[str, Any]]
    next: str | None


async def decisions(request: Request) -> Response:
    """GET /decisions."""
    query = _query(request)

    def build(_service: Service, looked: Looked) -> DecisionList:
        stored = looked.states.history.rows(query)
        rows = [render(row) for row in stored]
        return DecisionList(
            as_of=looked.as_of,
            model_types=query.model_types,
            decisions=query.decisions,
            rule=query.rule,
            since=one(request, "from"),
            until=one(request, "to"),
            order=query.order,
            limit=query.limit or LIMIT,
            rows=rows,
            next=_next(request, query, rows),
        )

    return respond(request, "decisions.html", await look(request, build))


def _query(request: Request) -> Query:
    order: Order = choice(request, "order", ORDERS) or "desc"
    before, after = (one(request, name) for name in ("before_id", "after_id"))
    return Query(
        limit=whole(request, "limit", LIMIT, 1, LIMIT_MAX),
        model_types=choices(request, "model_type", FAMILIES),
        decisions=choices(request, "decision", DECISIONS),
        rule=choice(request, "rule", KNOWN_RULES),
        from_us=time_us(request, "from"),
        to_us=time_us(request, "to"),
        before_id=None if before is None else whole(request, "before_id", 0, 1, ID_MAX),
        after_id=None if after is None else whole(request, "after_id", 0, 1, ID_MAX),
        order=order,
    )


def _next(request: Request, query: Query, rows: list[dict[str, Any]]) -> str | None:
    """The query of the next page; None at the end."""
    if len(rows) < (query.limit or 0):
        return None
    cursors = ("before_id", "after_id")
    kept = [(name, text) for name, text in request.query_params.multi_items() if text and name not in cursors]
    cursor = "before_id" if query.order == "desc" else "after_id"
    return urlencode([*kept, (cursor, rows[-1]["id"])])
