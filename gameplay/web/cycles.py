"""Promotion cycles that something outside asks for: a CronJob, a person, an automation that lets us decide."""

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.promotion import planning
from gameplay.refusals import Conflict
from gameplay.serving.service import Service
from gameplay.web.bodies import Line, answer, decode, read_body
from gameplay.web.keys import idempotency_key
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.state import lanes_of, service_of
from ledger.vocabulary import FAMILIES, Family
from projections.read_models.history import Query
from projections.read_models.history_fold import row_of
from projections.read_models.history_row import render, row_keys

log = logging.getLogger(__name__)

SOURCE = "http"

Row = dict[str, Any]


class CycleBody(Struct, frozen=True, kw_only=True):
    """The body of `POST /internal/promotion/cycle`; `reason` is kept as the row's source."""

    model_type: Family | None = None
    dry_run: bool | None = None
    reason: Line | None = None


_decoder = QuotedNumbersDecoder(CycleBody)


async def cycle(request: Request) -> Response:
    """POST /internal/promotion/cycle: the history row of each family that has decided, and why one could not."""
    service, key = service_of(request), idempotency_key(request)
    given = decode(await read_body(request), _decoder)
    service.require_caught_up()
    families = (given.model_type,) if given.model_type else FAMILIES
    rows = await lanes_of(request).outside(_rows, service, families, given, key)
    return answer(rows, headers={"Cache-Control": "no-store"})


def _rows(service: Service, families: tuple[Family, ...], given: CycleBody, key: str | None) -> list[Row]:
    """One family's trouble does not hide what others have done. Raises Conflict where none could decide."""
    look: Callable[[Family], Row]
    if given.dry_run:

        def look(family: Family) -> Row:
            return _previewed(service, family)
    else:

        def look(family: Family) -> Row:
            return _decided(service, family, given.reason or SOURCE, key)

    rows, problems = [], []
    for family in families:
        try:
            rows.append(look(family))
        except Conflict as conflict:
            log.warning("no promotion cycle: %s", conflict)
            problems.append(str(conflict))
            rows.append(_undecided(family, str(conflict)))
    if len(problems) == len(families):
        raise Conflict("; ".join(problems))
    return rows


def _undecided(family: Family, problem: str) -> Row:
    """The keys of a row, without a decision."""
    return {**dict.fromkeys(row_keys(detail=False)), "model_type": family, "tags": "", "problem": problem}


def _decided(service: Service, family: Family, source: str, key: str | None) -> Row:
    promotion, history = service.core.promotion, service.core.read_models.history
    decided = planning.cycle(promotion, family, trigger="manual", source=source, key=key)
    if decided is None:
        raise Conflict(promotion.problems.get(family, f"{family} has an open plan that cannot be completed now"))
    service.core.read_models.projector.catch_up()
    (row,) = history.rows(Query(limit=1, model_types=(family,), cycle=decided.cycle))
    return render(row)


def _previewed(service: Service, family: Family) -> Row:
    """The row as it would be, at no position."""
    decided, _ = planning.preview(service.core.promotion, family)
    row = render(row_of(decided, 0, service.core.ledger.now_us()))
    return {**row, "id": None, "position": None}
