"""A history row as HTTP clients and Grafana read it: every key in every row, flat, null where there is nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

TITLES = {
    "swap_production_b": "Production and B swapped",
    "retain_production": "Production retained",
    "insufficient_data": "Not enough games",
    "alias_reorder": "Challengers re-ranked",
}


def render(row: Mapping[str, Any], *, detail: bool = False) -> dict[str, Any]:
    """The public form of a stored row; `detail` adds the nested lists and the evidence."""
    nested = msgspec.json.decode(row["detail"])
    # When the cycle was: a report may reach the ledger long after it, and says so.
    told_us = (nested["report"] or {}).get("created_us")
    moment, created = (_utc(one) for one in (row["recorded_us"], told_us or row["recorded_us"]))
    applied = None if row["applied"] is None else bool(row["applied"])
    rendered = {
        "id": row["id"],
        "ts": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ts_ms": row["recorded_us"] // 1_000,
        "created_ts_utc": created.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "model_type": row["model_type"],
        "decision": row["decision"],
        "z_statistic": row["z_statistic"],
        "p_value": row["p_value"],
        "production_wins": row["production_wins"],
        "production_total_games": row["production_total_games"],
        "production_win_rate": _rate(row["production_wins"], row["production_total_games"]),
        "b_wins": row["b_wins"],
        "b_total_games": row["b_total_games"],
        "b_win_rate": _rate(row["b_wins"], row["b_total_games"]),
        "production_games_since_swap": row["production_games_since_swap"],
        "b_games_since_swap": row["b_games_since_swap"],
        "promotion_cycles_since_swap": row["promotion_cycles_since_swap"],
        "reorder_applied": bool(row["reorder_applied"]),
        "applied": applied,
        "rule": row["rule"],
        "alpha": None if row["alpha"] is None else float(row["alpha"]),
        "reason": row["reason"],
        "source": row["source"],
        **_ranks(nested["alias_rankings"]),
        "title": f"{row['model_type']}: {TITLES[row['decision']]}",
        "text": row["reason"],
        "tags": ",".join(_tags(row)),
        "position": row["id"],
    }
    if detail:
        rendered |= {
            name: nested[name]
            for name in ("alias_rankings", "alias_accuracies", "alias_assignments", "evidence", "report")
        }
    return rendered


def _utc(moment_us: int) -> datetime:
    return datetime.fromtimestamp(moment_us / 1_000_000, UTC)


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


def _tags(row: Mapping[str, Any]) -> list[str]:
    tags = ["promotion", row["model_type"], row["decision"]]
    return [*tags, "alias_reorder"] if row["reorder_applied"] else tags
