"""The promotion history: one row a cycle, kept as a table, so that ten thousand of them cost no memory.

The rows and their checkpoint move in one transaction. Two processes may fold at once: the checkpoint is read
again inside the transaction, so the second finds the work done.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, case, delete, func, insert, select, update

from ledger.engines.database import transaction
from ledger.events import AliasChange, AliasesAssigned, AliasesPlanned, CycleDecided, Event, wire_name
from ledger.store import Entry, Head, Ledger
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.errors import ProjectionError
from projections.schema import projection_checkpoints as checkpoints
from projections.schema import promotion_history as table

NAME = "promotion_history"
VERSION = 1
DAY_US = 86_400_000_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; times in microseconds since the epoch, `from_us` inclusive, `to_us` exclusive."""

    limit: int = 20
    model_type: str | None = None
    decision: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    before_id: int | None = None
    order: Literal["asc", "desc"] = "desc"


class History:
    """The table behind `/internal/promotion/history`."""

    name = NAME
    types = frozenset(wire_name(cls) for cls in (CycleDecided, AliasesPlanned, AliasesAssigned))

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
                    _fold(connection, event, entry)
            connection.execute(delete(checkpoints).where(checkpoints.c.name == NAME))
            connection.execute(
                insert(checkpoints).values(
                    name=NAME, version=VERSION, position=through.position, chain_hash=through.chain_hash
                )
            )

    def rows(self, query: Query) -> list[dict[str, Any]]:
        """The stored rows that a query asks for, in order of their id."""
        statement = select(table).where(*_conditions(query)).limit(query.limit)
        statement = statement.order_by(table.c.id.desc() if query.order == "desc" else table.c.id)
        with transaction(self._engine) as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def totals(self, from_us: int, to_us: int) -> dict[str, dict[str, int]]:
        """For each family: how many cycles came to each decision, challengers re-ranked, and all cycles."""
        reordered = func.sum(case((_RE_RANKED, 1), else_=0)).label("alias_reorder")
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
_RE_RANKED = (table.c.reorder_applied == 1) | (table.c.decision == "alias_reorder")


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.model_type is not None:
        conditions.append(table.c.model_type == query.model_type)
    if query.decision == "alias_reorder":
        conditions.append(_RE_RANKED)
    elif query.decision is not None:
        conditions.append(table.c.decision == query.decision)
    if query.from_us is not None:
        conditions.append(table.c.recorded_us >= query.from_us)
    if query.to_us is not None:
        conditions.append(table.c.recorded_us < query.to_us)
    if query.before_id is not None:
        conditions.append(table.c.id < query.before_id)
    return conditions


def _fold(connection: Connection, event: Event, entry: Entry) -> None:
    match event:
        case CycleDecided():
            connection.execute(insert(table).values(_row(event, entry)))
        case AliasesPlanned():
            _settle(connection, event, entry, {"applied": 0})
        case AliasesAssigned():
            _settle(connection, event, entry, {"applied": 1, "reorder_applied": int(event.reordered)})
        case _:
            raise AssertionError(f"{entry.type} is not among the types that the history reads")


def _row(event: CycleDecided, entry: Entry) -> dict[str, Any]:
    counts = _counts(event)
    return {
        "id": entry.position,
        "recorded_us": entry.recorded_us,
        "model_type": event.model_type,
        "cycle": event.cycle,
        "decision": event.decision,
        "z_statistic": event.z_statistic,
        "p_value": event.p_value,
        **counts,
        "production_games_since_swap": event.tickers.production_games,
        "b_games_since_swap": event.tickers.b_games,
        "promotion_cycles_since_swap": event.tickers.cycles,
        "reorder_applied": 0,
        "applied": None,
        "rule": event.rule.name if event.rule else None,
        "alpha": event.rule.alpha if event.rule else None,
        "reason": event.reason,
        "source": event.source,
        "detail": msgspec.json.encode(_detail(event)),
    }


def _counts(event: CycleDecided) -> dict[str, int | None]:
    """What was compared: the reporter's own counts where an outside automation decided."""
    names = ("production_wins", "production_total_games", "b_wins", "b_total_games")
    if event.report is not None:
        return {name: getattr(event.report, name) for name in names}
    if event.evidence is None:
        return dict.fromkeys(names)
    production, b = event.evidence.production.window, event.evidence.b.window
    return dict(zip(names, (production.wins, production.games, b.wins, b.games), strict=True))


def _detail(event: CycleDecided) -> dict[str, Any]:
    if event.report is not None:
        rankings = [msgspec.to_builtins(ranked) for ranked in event.report.alias_rankings]
        accuracies = [msgspec.to_builtins(accuracy) for accuracy in event.report.alias_accuracies]
    else:
        rankings = [
            {
                "alias": ranked.alias,
                "rank": ranked.rank,
                "source_alias": ranked.alias,
                "accuracy": ranked.correct / ranked.predictions if ranked.predictions else None,
                "total_predictions": ranked.predictions,
                "version": ranked.version,
            }
            for ranked in event.ranking
        ]
        accuracies = [{name: row[name] for name in row if name != "rank"} for row in rankings]
    return {
        "alias_rankings": rankings,
        "alias_accuracies": accuracies,
        "alias_assignments": [],
        "evidence": msgspec.to_builtins(event.evidence),
        "report": msgspec.to_builtins(event.report),
    }


def _settle(
    connection: Connection, event: AliasesPlanned | AliasesAssigned, entry: Entry, values: dict[str, Any]
) -> None:
    """Write down what became of a cycle's plan; a change of aliases outside a cycle has no row."""
    if event.cycle is None:
        return
    mine = (table.c.model_type == event.model_type) & (table.c.cycle == event.cycle)
    details = connection.scalars(select(table.c.detail).where(mine)).all()
    if len(details) != 1:
        found = f"{NAME} has {len(details)} rows of cycle {event.cycle} of {event.model_type}, and not one"
        raise ProjectionError(entry.position, entry.type, found)
    detail = msgspec.json.decode(details[0])
    detail["alias_assignments"] = _assignments(event.assignments)
    connection.execute(update(table).where(mine).values(**values, detail=msgspec.json.encode(detail)))


def _assignments(assignments: Sequence[AliasChange]) -> list[dict[str, Any]]:
    alias_of = {change.before: change.alias for change in assignments}
    return [
        {
            "alias": change.alias,
            "version": change.after,
            "source_alias": alias_of.get(change.after),
            "previous_version": change.before,
            "changed": change.before != change.after,
        }
        for change in assignments
    ]
