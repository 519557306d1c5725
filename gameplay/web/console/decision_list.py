"""/decisions: the promotion cycles as a table, to filter, to sort, to page through and to take along."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.pages import respond
from gameplay.web.history_query import CURSORS, asked_cycles, kept, next_page
from gameplay.web.queries import one
from gameplay.web.state import lanes_of
from gameplay.web.tables import csv_answer, link_to
from projections.read_models.history import Query
from projections.read_models.history_order import SORTS, Order, Sort
from projections.read_models.history_row import render, row_keys
from projections.schema import StoredRow

LIMIT = 50
LIMIT_MAX = 200
CSV_LIMIT_MAX = 10_000
PORTION = 500

_FIRST: Final[Mapping[Sort, Order]] = {"time": "desc", "difference": "desc"}
"""Which way a column is sorted at the first click: the newest, and the largest lead of B; the others ascend."""


class DecisionList(Struct, frozen=True, kw_only=True):
    """A page of the cycles, as rows of `/internal/promotion/history`.

    `next` is the query of the page after it; `sorts` has that of the same rows by each column, and by the present
    one the other way round; `table` is that of all of them as CSV.
    """

    as_of: AsOf
    model_types: tuple[str, ...]
    decisions: tuple[str, ...]
    rule: str | None
    since: str | None
    until: str | None
    sort: Sort
    order: Order
    limit: int
    rows: list[dict[str, Any]]
    next: str | None
    sorts: dict[str, str]
    table: str


async def decisions(request: Request) -> Response:
    """GET /decisions."""
    query = asked_cycles(request, LIMIT, LIMIT_MAX)

    def build(_service: Service, looked: Looked) -> DecisionList:
        rows = looked.states.history.rows(query)
        return DecisionList(
            as_of=looked.as_of,
            model_types=query.model_types,
            decisions=query.decisions,
            rule=query.rule,
            since=one(request, "since") or one(request, "from"),
            until=one(request, "to"),
            sort=query.sort,
            order=query.order,
            limit=query.limit or LIMIT,
            rows=[render(row) for row in rows],
            next=next_page(request, query, rows),
            sorts={sort: _sorted_by(request, query, sort) for sort in SORTS},
            table=urlencode(kept(request, without=(*CURSORS, "limit"))),
        )

    return respond(request, "decisions.html", await look(request, build))


async def table(request: Request) -> Response:
    """GET /decisions.csv: all the rows that the page would page through."""
    query = asked_cycles(request, CSV_LIMIT_MAX, CSV_LIMIT_MAX)
    rows = await _all_rows(request, query)
    shown = await lanes_of(request).reads(lambda: [render(row) for row in rows])
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"', "Cache-Control": "no-store"}
    return csv_answer(shown, row_keys(detail=False), headers | link_to(request, next_page(request, query, rows)))


async def _all_rows(request: Request, query: Query) -> list[StoredRow]:
    """As many rows as are asked for, in portions: the projector is held while each of them is read."""
    rows: list[StoredRow] = []
    while wanted := min((query.limit or CSV_LIMIT_MAX) - len(rows), PORTION):
        cursor = rows[-1].id if rows else query.cursor
        portion = await look(request, partial(_rows, query=structs.replace(query, limit=wanted, cursor=cursor)))
        rows += portion
        if len(portion) < wanted:
            break
    return rows


def _rows(_service: Service, looked: Looked, *, query: Query) -> list[StoredRow]:
    return looked.states.history.rows(query)


def _sorted_by(request: Request, query: Query, sort: Sort) -> str:
    order: Order = _FIRST.get(sort, "asc")
    if sort == query.sort:
        order = "asc" if query.order == "desc" else "desc"
    return urlencode([*kept(request, without=(*CURSORS, "sort", "order")), ("sort", sort), ("order", order)])
