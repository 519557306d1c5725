"""A history row as HTTP clients and Grafana read it: every key in every row, flat, null where there is nothing."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, structs

from ledger.codec import DECODE_ERRORS
from ledger.decoders import json_decoder
from ledger.errors import StorageError
from projections.schema import StoredRow

TITLES = {
    "swap_production_b": "Production and B swapped",
    "retain_production": "Production retained",
    "insufficient_data": "Not enough games",
    "alias_reorder": "Challengers reordered",
}


class Detail(Struct, kw_only=True):
    """The nested part of a row: what `detail=1` adds to it."""

    alias_rankings: list[dict[str, Any]]
    alias_accuracies: list[dict[str, Any]]
    alias_assignments: list[dict[str, Any]]
    evidence: dict[str, Any] | None
    reason_code: str
    watched: dict[str, Any] | None
    windows: dict[str, Any] | None
    statistics: dict[str, Any] | None
    verdicts: list[dict[str, Any]]
    report: dict[str, Any] | None


decode_detail = json_decoder(Detail).decode


class HistoryRow(Struct, frozen=True, kw_only=True):
    """The keys of a row and what each holds. A field of a stored row's name has that row's value."""

    id: int
    ts: str
    ts_ms: int
    created_ts_utc: str
    model_type: str
    decision: str
    z_statistic: float | None
    p_value: float | None
    production_wins: int | None
    production_total_games: int | None
    production_win_rate: float | None
    b_wins: int | None
    b_total_games: int | None
    b_win_rate: float | None
    production_games_since_swap: int
    b_games_since_swap: int
    promotion_cycles_since_swap: int
    reorder_applied: bool
    applied: bool | None
    rule: str | None
    alpha: float | None
    reason_code: str
    reason: str
    source: str
    rank1_summary: str | None
    rank2_summary: str | None
    rank3_summary: str | None
    step2_order: str | None
    step2_accuracy: str | None
    step2_sources: str | None
    title: str
    text: str
    tags: str
    position: int


KEYS = HistoryRow.__struct_fields__
_AS_STORED = frozenset(KEYS) & frozenset(StoredRow.__struct_fields__)


def row_keys(*, detail: bool) -> tuple[str, ...]:
    """The keys of a rendered row, in their order."""
    return (*KEYS, *(name for name in Detail.__struct_fields__ if name not in KEYS)) if detail else KEYS


def render(row: StoredRow, *, detail: bool = False) -> dict[str, Any]:
    """The public form of a stored row; `detail` adds the nested lists and the evidence.

    Raises StorageError for a row that no fold has written.
    """
    try:
        nested = decode_detail(row.detail)
        shown = structs.asdict(history_row(row, nested))
    except (*DECODE_ERRORS, LookupError, ValueError, TypeError, OverflowError) as error:
        repair = "`rps-audit rebuild --projection promotion_history` folds the table again"
        raise StorageError(f"row {row.id} of promotion_history is not one that was folded: {repair}") from error
    return {**shown, **structs.asdict(nested)} if detail else shown


def history_row(row: StoredRow, nested: Detail) -> HistoryRow:
    """The flat part of a row."""
    # When the cycle was: a report may reach the ledger long after it, and says so.
    created_us = (nested.report or {}).get("created_us") or row.recorded_us
    stored: dict[str, Any] = {name: getattr(row, name) for name in _AS_STORED}
    derived = {
        "ts": _utc(row.recorded_us).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ts_ms": row.recorded_us // 1_000,
        "created_ts_utc": _utc(created_us).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "production_win_rate": _rate(row.production_wins, row.production_total_games),
        "b_win_rate": _rate(row.b_wins, row.b_total_games),
        "reorder_applied": bool(row.reorder_applied),
        "applied": None if row.applied is None else bool(row.applied),
        "alpha": None if row.alpha is None else float(row.alpha),
        "reason_code": nested.reason_code,
        "title": f"{row.model_type}: {TITLES[row.decision]}",
        "text": row.reason,
        "tags": ",".join(_tags(row)),
        "position": row.id,
    }
    return HistoryRow(**{**stored, **derived, **_ranks(nested.alias_rankings)})


def _utc(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def _rate(wins: int | None, games: int | None) -> float | None:
    return wins / games if wins is not None and games else None


def _ranks(rankings: list[dict[str, Any]]) -> dict[str, str | None]:
    """The ranking, one sentence a place, and the order, accuracies and sources on a line each."""
    ordered = sorted(rankings, key=lambda ranked: ranked["rank"])
    summaries: dict[str, str | None] = {f"rank{place}_summary": None for place in (1, 2, 3)}
    for ranked in ordered:
        summaries[f"rank{ranked['rank']}_summary"] = _summary(ranked)
    if not ordered:
        return {**summaries, "step2_order": None, "step2_accuracy": None, "step2_sources": None}
    return {
        **summaries,
        "step2_order": " > ".join(ranked["alias"] for ranked in ordered),
        "step2_accuracy": ", ".join(_percent(ranked.get("accuracy")) for ranked in ordered),
        "step2_sources": ", ".join(ranked.get("source_alias") or ranked["alias"] for ranked in ordered),
    }


def _summary(ranked: dict[str, Any]) -> str:
    version = f" v{ranked['version']}" if ranked.get("version") else ""
    predictions = ranked.get("total_predictions")
    of = "" if predictions is None else f" of {predictions}"
    return f"{ranked['alias']}{version} {_percent(ranked.get('accuracy'))}{of}"


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1%}"


def _tags(row: StoredRow) -> list[str]:
    tags = ["promotion", row.model_type, row.decision]
    return [*tags, "alias_reorder"] if row.reorder_applied else tags
