"""The promotion history: one row a cycle, kept as a table, so that ten thousand of them cost no memory.

The rows and their checkpoint move in one transaction. Two processes may fold at once: the checkpoint is read
again inside the transaction, so the second finds the work done.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, insert, select

from ledger.engines.database import transaction
from ledger.events import Event
from ledger.store import Entry, Head, Ledger
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.read_models.history_fold import TYPES, fold
from projections.schema import StoredRow
from projections.schema import projection_checkpoints as checkpoints
from projections.schema import promotion_history as table

NAME: Final = "promotion_history"
VERSION = 2
DAY_US = 86_400_000_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; times in microseconds since the epoch, `from_us` inclusive, `to_us` exclusive.

    Rows of any of `model_types` and with any of `decisions`; of all where these are empty.
    """

    limit: int | None = 20
    model_types: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    from_us: int | None = None
    to_us: int | None = None
    before_id: int | None = None
    order: Literal["asc", "desc"] = "desc"


class History:
    """The table behind `/internal/promotion/history`."""

    name = NAME
    types = TYPES

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def _engine(self) -> Engine:
        return self._ledger.engine

    def position(self) -> int:
        """How far the rows are folded; rows of another version or another history are dropped first."""
        with transaction(self._engine) as connection:
            position = self._trusted(connection)
        if position is not None:
            return position
        with transaction(self._engine, write=True) as connection:
            # Looked at again under the lock: another process may have dropped them, and folded anew since.
            position = self._trusted(connection)
            if position is None:
                connection.execute(delete(table))
                connection.execute(delete(checkpoints).where(checkpoints.c.name == NAME))
        return position or 0

    def fold(self, batch: Sequence[tuple[Entry, Event]], through: Head) -> None:
        """Fold what is new in the batch and set the checkpoint to `through`, in one transaction."""
        if not through.position:
            return
        with transaction(self._engine, write=True) as connection:
            done = connection.scalar(select(checkpoints.c.position).where(checkpoints.c.name == NAME)) or 0
            if through.position <= done:
                return
            for entry, event in batch:
                if entry.position > done:
                    fold(connection, event, entry)
            connection.execute(delete(checkpoints).where(checkpoints.c.name == NAME))
            connection.execute(
                insert(checkpoints).values(
                    name=NAME, version=VERSION, position=through.position, chain_hash=through.chain_hash
                )
            )

    def rows(self, query: Query) -> list[StoredRow]:
        """The stored rows that a query asks for, in order of their id."""
        statement = select(table).where(*_conditions(query)).limit(query.limit)
        statement = statement.order_by(table.c.id.desc() if query.order == "desc" else table.c.id)
        with transaction(self._engine) as connection:
            return [StoredRow(**row) for row in connection.execute(statement).mappings()]

    def totals(self, from_us: int, to_us: int) -> dict[str, dict[str, int]]:
        """For each family: how many cycles came to each decision, challengers reordered, and all cycles."""
        reordered = func.sum(case((_REORDERED, 1), else_=0)).label("alias_reorder")
        by_decision = [
            func.sum(case((table.c.decision == decision, 1), else_=0)).label(decision)
            for decision in DECISIONS
            if decision != "alias_reorder"
        ]
        statement = (
            select(table.c.model_type, *by_decision, reordered, func.count().label("total_events"))
            .where(table.c.recorded_us >= from_us, table.c.recorded_us < to_us)
            .group_by(table.c.model_type)
        )
        empty: dict[str, int] = dict.fromkeys((*DECISIONS, "total_events"), 0)
        totals: dict[str, dict[str, int]] = {family: dict(empty) for family in FAMILIES}
        with transaction(self._engine) as connection:
            for row in connection.execute(statement).mappings():
                totals[row["model_type"]] = {name: int(row[name]) for name in empty}
        return totals

    def _trusted(self, connection: Connection) -> int | None:
        """How far the rows are folded; None when nothing says so, or they are of another version or history."""
        row = connection.execute(select(checkpoints).where(checkpoints.c.name == NAME)).first()
        if row is None:
            return None if connection.scalar(select(table.c.id).limit(1)) else 0
        entries = self._ledger.read(row.position - 1, limit=1) if row.version == VERSION else []
        return int(row.position) if entries and entries[0].chain_hash == row.chain_hash else None


# Executed, or reported of a family whose aliases the ledger does not know.
_REORDERED = (table.c.reorder_applied == 1) | (table.c.decision == "alias_reorder")


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.model_types:
        conditions.append(table.c.model_type.in_(query.model_types))
    if query.decisions:
        decided = table.c.decision.in_(query.decisions)
        conditions.append(decided | _REORDERED if "alias_reorder" in query.decisions else decided)
    if query.from_us is not None:
        conditions.append(table.c.recorded_us >= query.from_us)
    if query.to_us is not None:
        conditions.append(table.c.recorded_us < query.to_us)
    if query.before_id is not None:
        conditions.append(table.c.id < query.before_id)
    return conditions
