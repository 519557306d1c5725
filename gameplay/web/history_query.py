"""Which cycles a request asks for: alike for the history, the page of decisions, its twin and its CSV."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request

from gameplay.web.queries import choice, choices, one, time_us, whole
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.decision.rules import KNOWN_RULES
from projections.read_models.history import Query
from projections.read_models.history_order import ORDERS, SORTS
from projections.schema import StoredRow

ID_MAX = 2**53
CURSORS = ("cursor", "before_id", "after_id")


def asked_cycles(request: Request, limit: int, limit_max: int) -> Query:
    """The query of a request. Raises Refusal, naming the parameter that is wrong."""
    return Query(
        limit=whole(request, "limit", limit, 1, limit_max),
        model_types=choices(request, "model_type", FAMILIES),
        decisions=choices(request, "decision", DECISIONS),
        rule=choice(request, "rule", KNOWN_RULES),
        from_us=time_us(request, "since", "from"),
        to_us=time_us(request, "to"),
        before_id=_id(request, "before_id"),
        after_id=_id(request, "after_id"),
        cursor=_id(request, "cursor"),
        sort=choice(request, "sort", SORTS) or "time",
        order=choice(request, "order", ORDERS) or "desc",
    )


def next_page(request: Request, query: Query, rows: Sequence[StoredRow]) -> str | None:
    """The query string of the page after these rows; None where they are the last ones."""
    if query.limit is None or len(rows) < query.limit:
        return None
    # By time the id is a bound of its own, under the name that clients have always been given.
    bound = "before_id" if query.order == "desc" else "after_id"
    name = bound if query.sort == "time" else "cursor"
    return urlencode([*kept(request, without=(name,)), (name, rows[-1].id)])


def kept(request: Request, without: Sequence[str]) -> list[tuple[str, str]]:
    """The parameters of a request that say something, without these."""
    return [(name, text) for name, text in request.query_params.multi_items() if text and name not in without]


def _id(request: Request, name: str) -> int | None:
    return None if one(request, name) is None else whole(request, name, 0, 1, ID_MAX)
