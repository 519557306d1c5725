"""The promotion history: one row a cycle, kept as a table, so that ten thousand of them cost no memory.

The rows and their checkpoint move in one transaction. Two processes may fold at once: the checkpoint is read
again inside the transaction, so the second finds the work done.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, insert, select

from ledger.engines.database import reading, transaction
from ledger.entries import Entry, Head
from ledger.events import Event
from ledger.schema import events
from ledger.store import Ledger
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.read_models.history_digest import EMPTY, digest_of
from projections.read_models.history_fold import TYPES, fold
from projections.read_models.history_order import Order, Sort, beyond, ordering
from projections.schema import StoredRow
from projections.schema import projection_checkpoints as checkpoints
from projections.schema import promotion_history as table

NAME: Final = "promotion_history"
VERSION = 4
DAY_US = 86_400_000_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; times in microseconds since the epoch, `from_us` inclusive, `to_us` exclusive.

    Rows of any of `model_types` and with any of `decisions`; of all where these are empty. `cursor` is the id of
    the last row of the page before, in the same order.
    """

    limit: int | None = 20
    model_types: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    cycle: int | None = None
    from_us: int | None = None
    to_us: int | None = None
    before_id: int | None = None
    after_id: int | None = None
    rule: str | None = None
    sort: Sort = "time"
    order: Order = "desc"
    cursor: int | None = None


class Rows(Protocol):
    """The history's rows, at the head or at a position."""

    def rows(self, query: Query) -> list[StoredRow]:
        """The rows that a query asks for, in its order."""
        ...

    def totals(self, from_us: int, to_us: int) -> dict[str, dict[str, int]]:
        """For each family: how many cycles came to each decision, challengers reordered, and all cycles."""
        ...


class History:
    """The table behind `/internal/promotion/history`."""

    name = NAME
    types = TYPES

    def __init__(self, ledger: Ledger, *, engine: Engine | None = None) -> None:
        """`engine` is the rows' database, where that is not the ledger's."""
        self._ledger = ledger
        self._engine = engine or ledger.engine

    def restore(self) -> str | None:
        """Drop the rows when they cannot be trusted, so that they are folded again; says why they were dropped."""
        with transaction(self._engine) as connection:
            if not self._distrust(connection):
                return None
        with transaction(self._engine, write=[table]) as connection:
            # Looked at again under the lock: another process may have dropped them, and folded them again since.
            problem = self._distrust(connection)
            if problem:
                connection.execute(delete(table))
                connection.execute(delete(checkpoints).where(_MINE))
        return problem

    def position(self) -> int:
        """How far the rows are folded."""
        with transaction(self._engine) as connection:
            return connection.scalar(select(checkpoints.c.position).where(_MINE)) or 0

    def digest(self) -> bytes:
        """The digest of the rows as they are stored."""
        with transaction(self._engine) as connection:
            return digest_of(connection)

    def damage(self) -> str | None:
        """What is wrong with rows that this release has folded; None where nothing is, or an older one has."""
        with transaction(self._engine) as connection:
            version = connection.scalar(select(checkpoints.c.version).where(_MINE))
            return self._distrust(connection) if version in (None, VERSION) else None

    def fold(self, batch: Sequence[tuple[Entry, Event]], through: Head) -> bool:
        """Fold what is new in the batch and set the checkpoint to `through`, in one transaction.

        False, and nothing is written, where the rows are of a history that the ledger has lost.
        """
        if not through.position:
            return True
        with transaction(self._engine, write=[table]) as connection:
            row = connection.execute(select(checkpoints).where(_MINE)).first()
            if row is not None and not self._holds(connection, row.position, row.chain_hash):
                return False
            done, digest = (row.position, row.rows_digest or EMPTY) if row else (0, EMPTY)
            if through.position <= done:
                return True
            for entry, event in batch:
                if entry.position > done:
                    digest = fold(connection, event, entry, digest)
            set_checkpoint(connection, through, digest)
            return True

    def rows(self, query: Query) -> list[StoredRow]:
        """The stored rows that a query asks for, in its order."""
        statement = select(table).where(*_conditions(query)).limit(query.limit)
        statement = statement.order_by(*ordering(query.sort, query.order))
        with transaction(self._engine) as connection:
            if query.cursor is not None:
                statement = statement.where(beyond(connection, query.cursor, query.sort, query.order))
            return [StoredRow(**row) for row in connection.execute(statement).mappings()]

    def totals(self, from_us: int, to_us: int, *, through: int | None = None) -> dict[str, dict[str, int]]:
        """For each family: how many cycles came to each decision, challengers reordered, and all cycles.

        With `through` of rows up to this id alone.
        """
        reordered = func.sum(case((_REORDERED, 1), else_=0)).label("alias_reorder")
        by_decision = [
            func.sum(case((table.c.decision == decision, 1), else_=0)).label(decision)
            for decision in DECISIONS
            if decision != "alias_reorder"
        ]
        statement = (
            select(table.c.model_type, *by_decision, reordered, func.count().label("total_events"))
            .where(*_conditions(Query(from_us=from_us, to_us=to_us, before_id=through and through + 1)))
            .group_by(table.c.model_type)
        )
        empty: dict[str, int] = dict.fromkeys((*DECISIONS, "total_events"), 0)
        totals: dict[str, dict[str, int]] = {family: dict(empty) for family in FAMILIES}
        with transaction(self._engine) as connection:
            for row in connection.execute(statement).mappings():
                totals[row["model_type"]] = {name: int(row[name]) for name in empty}
        return totals

    def _distrust(self, connection: Connection) -> str | None:
        """Why the rows cannot be trusted."""
        row = connection.execute(select(checkpoints).where(_MINE)).first()
        if row is None:
            return "its rows have no checkpoint" if connection.scalar(select(table.c.id).limit(1)) else None
        if row.version != VERSION:
            return f"it is of version {row.version}, not {VERSION}"
        if not self._holds(connection, row.position, row.chain_hash):
            return f"it was folded from another history, up to position {row.position}"
        if row.rows_digest != digest_of(connection):
            return "its rows are not those that were folded: something else has changed the table"
        return None

    def _holds(self, connection: Connection, position: int, chain_hash: bytes) -> bool:
        """Whether the ledger holds what rows were folded from, up to this position."""
        newest = select(events.c.chain_hash).where(events.c.position == position)
        if self._engine is self._ledger.engine:
            # On the same connection: those who wait for the lock that it holds may have taken all others.
            return connection.scalar(newest) == chain_hash
        with reading(self._ledger.engine) as other:
            return other.scalar(newest) == chain_hash


def set_checkpoint(connection: Connection, through: Head, digest: bytes) -> None:
    """Write down how far the rows are folded, and their digest."""
    connection.execute(delete(checkpoints).where(_MINE))
    connection.execute(
        insert(checkpoints).values(
            name=NAME,
            version=VERSION,
            position=through.position,
            chain_hash=through.chain_hash,
            rows_digest=digest,
        )
    )


_MINE = checkpoints.c.name == NAME

# Executed, or reported of a family whose aliases the ledger does not know.
_REORDERED = (table.c.reorder_applied == 1) | (table.c.decision == "alias_reorder")


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.model_types:
        conditions.append(table.c.model_type.in_(query.model_types))
    if query.decisions:
        decided = table.c.decision.in_(query.decisions)
        conditions.append(decided | _REORDERED if "alias_reorder" in query.decisions else decided)
    if query.cycle is not None:
        conditions.append(table.c.cycle == query.cycle)
    if query.from_us is not None:
        conditions.append(table.c.recorded_us >= query.from_us)
    if query.to_us is not None:
        conditions.append(table.c.recorded_us < query.to_us)
    if query.before_id is not None:
        conditions.append(table.c.id < query.before_id)
    if query.after_id is not None:
        conditions.append(table.c.id > query.after_id)
    if query.rule is not None:
        conditions.append(table.c.rule == query.rule)
    return conditions
