"""The promotion over HTTP: reports, history and totals."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gameplay.cron import next_firings
from gameplay.promotion import reports
from gameplay.promotion.operator.status import Status
from gameplay.promotion.operator.status import status as status_of
from gameplay.promotion.reports import Reported
from gameplay.refusals import NotFound, Refusal
from gameplay.serving.service import Service
from gameplay.web.bodies import answer, read_body
from gameplay.web.history_query import ID_MAX, asked_cycles, next_page
from gameplay.web.keys import idempotency_key
from gameplay.web.queries import choices, flag, whole
from gameplay.web.report_body import read_report
from gameplay.web.state import lanes_of, masked_of, service_of
from gameplay.web.tables import link_to, table_answer
from ledger.errors import InvalidTextError
from ledger.events import CycleDecided
from ledger.masking import Masking
from ledger.numbers import parse_whole
from ledger.times import show_seconds
from ledger.vocabulary import DECISIONS, FAMILIES, Family
from projections.read_models.history import DAY_US, Query
from projections.read_models.history_fold import ticker_fields
from projections.read_models.history_row import render, row_keys
from projections.schema import StoredRow

HISTORY_LIMIT = 20
HISTORY_LIMIT_MAX = 200
DAYS = 7
DAYS_MAX = 90
ALL = "ALL"

TOTALS_KEYS = ("model", "period_start", "period_end", *DECISIONS, "total_events")


async def report(request: Request) -> Response:
    """POST /internal/promotion/report."""
    service = service_of(request)
    body = await read_body(request)
    reported = read_report(body)
    key = idempotency_key(request)
    service.require_caught_up()
    recorded = await lanes_of(request).outside(reports.record, service.core.promotion, reported, key)
    return answer(_report_answer(recorded.position, recorded.event, reported))


async def history(request: Request) -> Response:
    """GET /internal/promotion/history: a bare array, the newest first."""
    service = service_of(request)
    query, detail = asked_cycles(request, HISTORY_LIMIT, HISTORY_LIMIT_MAX), flag(request, "detail")
    rows = await lanes_of(request).reads(read_rows, service, query)
    headers = link_to(request, next_page(request, query, rows))
    return table_answer(request, [render(row, detail=detail) for row in rows], row_keys(detail=detail), headers)


async def history_row(request: Request) -> Response:
    """GET /internal/promotion/history/{id}."""
    service, detail = service_of(request), flag(request, "detail")
    text = request.path_params["id"]
    try:
        id_ = parse_whole(text)
    except InvalidTextError as error:
        raise Refusal(f"id={text!r} is no whole number") from error
    if not 1 <= id_ <= ID_MAX:
        raise NotFound(f"there is no cycle {id_}")
    # Positions are ids: a row that is the newest before the next position is the row itself, if there is one.
    rows = await lanes_of(request).reads(read_rows, service, Query(limit=1, before_id=id_ + 1))
    if not rows or rows[0].id != id_:
        raise NotFound(f"position {id_} is no promotion cycle")
    row = render(rows[0], detail=detail)
    return table_answer(request, row, row_keys(detail=detail))


async def status(request: Request) -> Response:
    """GET /internal/promotion/status: where each family stands now."""
    service = service_of(request)
    families = choices(request, "model_type", FAMILIES) or FAMILIES
    found = await lanes_of(request).reads(_statuses, service, families, masked_of(request))
    return answer(found, headers={"Cache-Control": "no-store"})


def _statuses(service: Service, families: Sequence[Family], masked: Masking) -> list[Status]:
    service.require_caught_up()
    line = service.core.settings.promotion_schedule
    firing = next_firings(line, datetime.now(UTC), 1)[0] if line else None
    return [status_of(service.core.promotion, family, firing, masked) for family in families]


async def event_totals(request: Request) -> Response:
    """GET /internal/promotion/event_totals."""
    service = service_of(request)
    days = whole(request, "days", DAYS, 1, DAYS_MAX)
    rows = await lanes_of(request).reads(read_totals, service, days)
    return table_answer(request, rows, TOTALS_KEYS)


def read_rows(service: Service, query: Query) -> list[StoredRow]:
    """The stored rows that a query asks for, up to the head. Raises Unavailable before the first catch-up."""
    service.require_caught_up()
    service.core.read_models.projector.catch_up()
    return service.core.read_models.history.rows(query)


def read_totals(service: Service, days: int) -> list[dict[str, Any]]:
    """What the cycles of the last days decided: a row for each family, and one for all.

    Raises Unavailable before the first catch-up.
    """
    service.require_caught_up()
    to_us = int(time.time() * 1_000_000) + 1
    from_us = to_us - days * DAY_US
    service.core.read_models.projector.catch_up()
    totals = service.core.read_models.history.totals(from_us, to_us)
    totals[ALL] = {name: sum(row[name] for row in totals.values()) for name in (*DECISIONS, "total_events")}
    period = {"period_start": show_seconds(from_us), "period_end": show_seconds(to_us)}
    return [{"model": model, **period, **row} for model, row in totals.items()]


def _report_answer(position: int, event: CycleDecided, reported: Reported) -> dict[str, Any]:
    """The answer to a report. `tickers_differ` names the tickers for which the caller gave another value."""
    own = ticker_fields(event.tickers)
    said = {name: getattr(reported.said, name) for name in own}
    return {
        "success": True,
        "event_id": position,
        "model_type": event.model_type,
        "decision": event.decision,
        "reorder_applied": event.reordered,
        "reason": event.reason,
        **own,
        "tickers_differ": [name for name in own if said[name] is not None and said[name] != own[name]],
    }
