"""What each event makes of the rows of the promotion history: a cycle is a row, and its plan changes it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import structs
from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.entries import Entry
from ledger.events import AliasChange, AliasesAssigned, AliasesPlanned, CycleDecided, Event, wire_name
from ledger.evidence import Tickers
from projections.errors import ProjectionError
from projections.read_models.history_digest import changed, hash_of
from projections.read_models.history_row import Detail, decode_detail
from projections.schema import StoredRow
from projections.schema import promotion_history as table

TYPES = frozenset(wire_name(cls) for cls in (CycleDecided, AliasesPlanned, AliasesAssigned))


class ComparedCounts(NamedTuple):
    """What a cycle compared; None where a report does not say."""

    production_wins: int | None
    production_total_games: int | None
    b_wins: int | None
    b_total_games: int | None


_INSERT = insert(table)
# The columns that change are those of the parameters: a statement made anew for each plan took most of its time.
_UPDATE = update(table).where(table.c.id == bindparam("row_id"))
_OF_CYCLE = select(table.c.id, table.c.detail).where(
    table.c.model_type == bindparam("model_type"), table.c.cycle == bindparam("cycle")
)


def fold(connection: Connection, event: Event, entry: Entry, digest: bytes) -> bytes:
    """Write what one event changes; returns the digest of the rows, given the one before.

    Raises ProjectionError for a plan of a cycle that has no row.
    """
    match event:
        case CycleDecided():
            connection.execute(_INSERT, structs.asdict(row_of(event, entry.position, entry.recorded_us)))
            return changed(digest, added=hash_of(connection, entry.position))
        case AliasesPlanned() | AliasesAssigned():
            return _settle(connection, event, entry, digest)
        case _:
            raise AssertionError(f"{entry.type} is not among the types that the history reads")


def before_plans(row: StoredRow) -> StoredRow:
    """The row as its cycle alone had made it."""
    return _changed(row, {"applied": None, "reorder_applied": 0}, [])


def after_plan(row: StoredRow, event: AliasesPlanned | AliasesAssigned) -> StoredRow:
    """The row with what has become of its cycle's plan."""
    return _changed(row, _outcome(event), _assignments(event.assignments))


def counts_of_evidence(event: CycleDecided) -> ComparedCounts:
    """What the ledger itself has counted."""
    if event.evidence is None:
        return ComparedCounts(None, None, None, None)
    production, b = event.evidence.production.window, event.evidence.b.window
    return ComparedCounts(production.wins, production.games, b.wins, b.games)


def counts_of_report(event: CycleDecided) -> ComparedCounts | None:
    """What an outside automation says that it compared; None where the cycle is the service's own."""
    if event.report is None:
        return None
    return ComparedCounts(*(getattr(event.report, name) for name in ComparedCounts._fields))


def ticker_fields(tickers: Tickers) -> dict[str, int]:
    """The tickers under the names that rows and reports have for them."""
    return {
        "production_games_since_swap": tickers.production_games,
        "b_games_since_swap": tickers.b_games,
        "promotion_cycles_since_swap": tickers.cycles,
    }


def row_of(event: CycleDecided, position: int, recorded_us: int) -> StoredRow:
    """The row of a cycle that was decided at this position, before anything became of its plan."""
    counts = counts_of_report(event) or counts_of_evidence(event)
    return StoredRow(
        id=position,
        recorded_us=recorded_us,
        model_type=event.model_type,
        cycle=event.cycle,
        decision=event.decision,
        z_statistic=_unsigned(event.z_statistic),
        p_value=_unsigned(event.p_value),
        **counts._asdict(),
        **ticker_fields(event.tickers),
        reorder_applied=0,
        applied=None,
        rule=event.rule.name if event.rule else None,
        alpha=event.rule.alpha if event.rule else None,
        reason=event.reason,
        source=event.source,
        detail=msgspec.json.encode(_detail(event)),
    )


def _unsigned(value: float | None) -> float | None:
    """With 0.0 for -0.0, as SQLite stores it: the digest of the same rows must be one on every database."""
    return None if value is None else value + 0.0


def _detail(event: CycleDecided) -> Detail:
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
    return Detail(
        alias_rankings=rankings,
        alias_accuracies=accuracies,
        alias_assignments=[],
        evidence=msgspec.to_builtins(event.evidence),
        reason_code=event.reason_code,
        watched=msgspec.to_builtins(event.watched),
        windows=msgspec.to_builtins(event.windows),
        statistics=msgspec.to_builtins(event.statistics),
        verdicts=msgspec.to_builtins(event.verdicts),
        report=msgspec.to_builtins(event.report),
    )


def _settle(connection: Connection, event: AliasesPlanned | AliasesAssigned, entry: Entry, digest: bytes) -> bytes:
    """Write down what became of a cycle's plan; a change of aliases outside a cycle has no row."""
    if event.cycle is None:
        return digest
    rows = connection.execute(_OF_CYCLE, {"model_type": event.model_type, "cycle": event.cycle}).all()
    if len(rows) != 1:
        found = f"{table.name} has {len(rows)} rows of cycle {event.cycle} of {event.model_type}, and not one"
        raise ProjectionError(entry.position, entry.type, found)
    row_id, detail = rows[0]
    before = hash_of(connection, row_id)
    settled = {**_outcome(event), "detail": _with_assignments(detail, _assignments(event.assignments))}
    connection.execute(_UPDATE, {"row_id": row_id, **settled})
    return changed(digest, removed=before, added=hash_of(connection, row_id))


def _outcome(event: AliasesPlanned | AliasesAssigned) -> dict[str, int]:
    """What a plan, or its completion, says in the row's own columns."""
    match event:
        case AliasesPlanned():
            return {"applied": 0}
        case AliasesAssigned():
            return {"applied": 1, "reorder_applied": int(event.reordered)}


def _changed(row: StoredRow, values: Mapping[str, int | None], assignments: list[dict[str, Any]]) -> StoredRow:
    detail = _with_assignments(row.detail, assignments)
    return structs.replace(row, **values, detail=detail)


def _with_assignments(encoded: bytes, assignments: list[dict[str, Any]]) -> bytes:
    detail = decode_detail(encoded)
    detail.alias_assignments = assignments
    return msgspec.json.encode(detail)


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
