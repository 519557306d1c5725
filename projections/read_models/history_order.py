"""The order of the history's rows, and where a page goes on.

A cursor is the id of the last row of the page before. What rows are sorted by never changes once a row is there,
so that row itself says where the next page begins: rows that came meanwhile shift nothing.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Double, and_, cast, false, func, or_, select

from projections.schema import promotion_history as table

Order = Literal["asc", "desc"]
Sort = Literal["time", "family", "decision", "difference", "p", "rule"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)


def _win_rate(wins: ColumnElement[Any], games: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(wins, Double) / func.nullif(games, 0)


_KEYS: Final[Mapping[Sort, ColumnElement[Any]]] = {
    "family": table.c.model_type,
    "decision": table.c.decision,
    "difference": _win_rate(table.c.b_wins, table.c.b_total_games)
    - _win_rate(table.c.production_wins, table.c.production_total_games),
    "p": table.c.p_value,
    "rule": table.c.rule,
}
"""What each sort goes by, but for the time's, which is the id's. The id breaks ties, so every order is total."""


def ordering(sort: Sort, order: Order) -> tuple[ColumnElement[Any], ...]:
    """The order of the rows. Those without a value come last, whichever way it goes."""
    ids = _directed(table.c.id, order)
    if sort == "time":
        return (ids,)
    key = _KEYS[sort]
    return key.is_(None), _directed(key, order), ids


def beyond(connection: Connection, cursor: int, sort: Sort, order: Order) -> ColumnElement[bool]:
    """The rows after the one whose id is `cursor`; none where its value is needed and there is no such row."""
    later = _after(table.c.id, cursor, order)
    if sort == "time":
        return later
    key = _KEYS[sort]
    last = connection.execute(select(key).where(table.c.id == cursor)).first()
    if last is None:
        return false()
    if last[0] is None:
        return and_(key.is_(None), later)
    return or_(_after(key, last[0], order), and_(key == last[0], later), key.is_(None))


def _directed(key: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    return key.desc() if order == "desc" else key.asc()


def _after(key: ColumnElement[Any], value: Any, order: Order) -> ColumnElement[bool]:
    is_after: ColumnElement[bool] = key < value if order == "desc" else key > value
    return is_after
