"""What each call takes and gives: the source of /openapi.json.

Every call has an entry, with an example of its body and of its answer; a test asks each call with its example, and
holds the answer to the schema.
"""

from collections.abc import Mapping
from typing import Any, Literal

from gameplay.game.answers import PlayAnswer, PointsAnswer, StartAnswer
from gameplay.promotion.operator.status import Status
from gameplay.web import shapes
from gameplay.web.cycles import CycleBody
from gameplay.web.described_cycles import CYCLES
from gameplay.web.described_pages import PAGES
from gameplay.web.described_players import PLAYERS
from gameplay.web.description import CSV, HTML, JSON, STREAM, Described, Parameter
from gameplay.web.games import EraseName, PlayRound, StartGame
from gameplay.web.grafana import OptionsBody, QueryBody, VariableBody
from gameplay.web.mlflow_webhook import Delivery
from gameplay.web.orders import AnswerBody, OrderBody, PinBody, SwapBody, UnpinBody
from gameplay.web.report_body import ReportBody
from gameplay.web.training import TrainingBody
from ledger.events import EVENT_TYPES
from ledger.vocabulary import Alias, Family, Policy
from projections.metrics.exposition import FORMATS

_GAME = "0199f3a0-5a1b-7c00-8000-000000000001"
_MODEL_TYPE = Parameter("model_type", Family, "xgboost", "One family, or several.", repeated=True)
_FEED = (
    Parameter("after", int, 0, "Events after this position."),
    Parameter("type", Literal[EVENT_TYPES], "promotion.cycle_decided", "One type, or several.", repeated=True),
)
_DETAIL = Parameter(
    "detail", Literal["0", "1", "true", "false"], "1", "Whether nested lists and evidence are added."
)
_VALUES = {"rock": 1.0, "paper": 1.6, "scissors": 1.1}
_ROW: dict[str, Any] = {
    "id": 4711,
    "ts": "2026-11-26T16:30:00Z",
    "ts_ms": 1_795_710_600_000,
    "created_ts_utc": "2026-11-26T16:30:00.012345Z",
    "model_type": "xgboost",
    "decision": "swap_production_b",
    "z_statistic": 1.7321,
    "p_value": 0.0416,
    "production_wins": 9,
    "production_total_games": 24,
    "production_win_rate": 0.375,
    "b_wins": 15,
    "b_total_games": 24,
    "b_win_rate": 0.625,
    "production_games_since_swap": 0,
    "b_games_since_swap": 0,
    "promotion_cycles_since_swap": 0,
    "reorder_applied": False,
    "applied": True,
    "rule": "ztest/1",
    "alpha": 0.2,
    "reason_code": "better",
    "reason": "B won 15 of 24 against Production's 9 of 24, z = 1.7321, p = 0.0416: below alpha = 0.20.",
    "source": "scheduler",
    "rank1_summary": "B v2 42.1% of 190",
    "rank2_summary": "shadow1 v3 38.0% of 190",
    "rank3_summary": "shadow2 v4 36.3% of 190",
    "step2_order": "B > shadow1 > shadow2",
    "step2_accuracy": "42.1%, 38.0%, 36.3%",
    "step2_sources": "B, shadow1, shadow2",
    "title": "xgboost: Production and B swapped",
    "text": "B won 15 of 24 against Production's 9 of 24, z = 1.7321, p = 0.0416: below alpha = 0.20.",
    "tags": "promotion,xgboost,swap_production_b",
    "position": 4711,
}


_RELOADED = {
    "success": True,
    "reloaded": ["xgboost/Production"],
    "failed": [],
    "minio_synced": 0,
    "minio_skipped": 12,
    "minio_errors": [],
    "registry_errors": [],
    "message": "1 reloaded, 0 failed",
}
_RELOAD_QUERY = (
    Parameter("sync_minio", Literal["0", "1", "true", "false"], "true", "Bring the model store in order first."),
    Parameter("clean", Literal["0", "1", "true", "false"], "false", "Remove files that no version needs, too."),
)

_KEY = Parameter("Idempotency-Key", str, "deploy-2026-11-26", "The same key again is the same call, done once.")
_ORDER = {"model_type": "xgboost", "reason": "a campaign runs until Monday", "actor": "ada"}
_TAKEN = {
    "model_type": "xgboost",
    "dry_run": False,
    "position": 4712,
    "applied": None,
    "repeated": False,
    "since": None,
    "seen": None,
}

DESCRIBED: Mapping[tuple[str, str], Described] = {
    ("POST", "/start_game"): Described(
        summary="Start a game.",
        body=StartGame,
        body_example={"policy": "forrest", "player_name": "Ada"},
        answer=StartAnswer,
        example={
            "game_id": _GAME,
            "session_id": "5e1f7a",
            "player_name": "Ada",
            "policy": "forrest",
            "bot_policy": "forrest",
            "difficulty_mode": "normal",
            "bot_model_alias": "B",
            "model_type": "xgboost",
            "target_score": 10,
            "status": "active",
            "message": "First to 10 points against forrest.",
        },
        errors=(429,),
    ),
    ("GET", "/round_points"): Described(
        summary="What each move is worth in the next round.",
        query=(Parameter("game_id", str, _GAME, "The game.", needed=True),),
        answer=PointsAnswer,
        example={"game_id": _GAME, "round_no": 1, "round_points": _VALUES},
        errors=(400, 404, 409),
    ),
    ("POST", "/play"): Described(
        summary="Play a round. Send `round`, and a retry is safe.",
        body=PlayRound,
        body_example={"game_id": _GAME, "user_move": "rock", "round": 1},
        answer=PlayAnswer,
        example={
            "game_id": _GAME,
            "round": 1,
            "user_move": "rock",
            "player_move": "rock",
            "bot_move": "scissors",
            "result": "win",
            "user_delta": 1.0,
            "bot_delta": 0.0,
            "user_score": 1.0,
            "bot_score": 0.0,
            "round_points": _VALUES,
            "finished": False,
            "winner": None,
            "scores": {"player": 1, "bot": 0, "ties": 0},
            "policy": "forrest",
            "difficulty_mode": "normal",
            "model_info": {
                "model_type": "xgboost",
                "model_alias": "B",
                "model_version": 2,
                "policy": "forrest",
                "difficulty_mode": "normal",
                "probability_source": "opening",
            },
            "ab_assignment": {"alias": "B", "model_key": "xgboost/B", "is_variant": True},
            "debug": {
                "probabilities": None,
                "expected_values": None,
                "features": [0.0] * 50,
                "feature_count": 50,
                "probability_source": "opening",
                "round_no": 1,
            },
            "message": "You win the round.",
        },
        errors=(404, 409),
    ),
    ("POST", "/erase_name"): Described(
        summary="Erases the display name of a session's player.",
        body=EraseName,
        body_example={"session_id": "a-session"},
        answer=shapes.Erased,
        example={"success": True, "erased": True},
    ),
    ("GET", "/policies"): Described(
        summary="The policies that may be played.", answer=list[Policy], example=["brian", "forrest", "logan"]
    ),
    ("GET", "/"): Described(
        summary="What the service is.",
        answer=shapes.Root,
        example={
            "service": "rps-promotion-ledger",
            "version": "0.1.0",
            "links": {"health": "/healthz"},
            "grafana_dashboard_url": None,
        },
    ),
    ("GET", "/healthz"): Described(
        summary="Whether the process serves: the liveness probe.",
        answer=shapes.Health,
        example={
            "ok": True,
            "version": "0.1.0",
            "uptime_seconds": 12.5,
            "failing_jobs": {},
            "start_problem": None,
        },
        statuses=(200, 503),
    ),
    ("GET", "/readyz"): Described(
        summary="Whether players may be sent here: the readiness probe.",
        answer=shapes.Readiness,
        example={"ready": False, "missing": ["projections: replaying the ledger"], "registry_mismatches": {}},
        statuses=(200, 503),
    ),
    ("GET", "/metrics"): Described(
        summary="Every series, as Prometheus text or OpenMetrics.",
        query=(Parameter("scope", Literal["ledger", "process"], "ledger", "One half of the series."),),
        media=tuple(FORMATS),
        answer=str,
        example='rps_games_total{difficulty="standard",policy="forrest"} 12.0\n',
        errors=(400, 406),
    ),
    ("GET", "/models"): Described(
        summary="The versions behind the twelve aliases.",
        answer=dict[Family, shapes.ServedFamily],
        example={
            "xgboost": {
                "aliases": {
                    "Production": {
                        "version": 1,
                        "run_id": "3f2a",
                        "loaded": True,
                        "source": "minio",
                        "training_accuracy": 0.44,
                    }
                },
                "registry_mismatch": None,
            }
        },
    ),
    ("POST", "/models/reload"): Described(
        summary="Adopt the registry's aliases and load the twelve versions again.",
        query=_RELOAD_QUERY,
        answer=shapes.Reloaded,
        example=_RELOADED,
    ),
    ("POST", "/models/reload/{model_type}/{alias}"): Described(
        summary="The same for one alias.",
        path=(Parameter("model_type", Family, "xgboost"), Parameter("alias", Alias, "Production")),
        query=_RELOAD_QUERY,
        answer=shapes.Reloaded,
        example=_RELOADED,
        errors=(404,),
    ),
    ("POST", "/internal/promotion/report"): Described(
        summary="Report a cycle that an outside automation ran.",
        headers=(Parameter("Idempotency-Key", str, "cycle-2026-11-26T16:30", "Makes the report safe to repeat."),),
        body=ReportBody,
        body_example={
            "model_type": "xgboost",
            "decision": "retain_production",
            "z_statistic": 0.31,
            "p_value": 0.38,
            "reason": "not better",
        },
        answer=shapes.ReportTaken,
        example={
            "success": True,
            "event_id": 4711,
            "model_type": "xgboost",
            "decision": "retain_production",
            "reorder_applied": False,
            "reason": "not better",
            "production_games_since_swap": 24,
            "b_games_since_swap": 24,
            "promotion_cycles_since_swap": 3,
            "tickers_differ": [],
        },
        errors=(409,),
    ),
    ("GET", "/internal/promotion/history"): Described(
        summary="The promotion cycles, newest first.",
        query=(
            Parameter("limit", int, 20, "Rows, 1 to 200."),
            *CYCLES,
            _DETAIL,
        ),
        media=(JSON, CSV),
        answer=list[shapes.Row],
        example=[_ROW],
        errors=(400,),
    ),
    ("GET", "/internal/promotion/history/{id}"): Described(
        summary="One promotion cycle.",
        path=(Parameter("id", int, 4711),),
        query=(_DETAIL,),
        media=(JSON, CSV),
        answer=shapes.Row,
        example=_ROW,
        errors=(400, 404),
    ),
    ("GET", "/internal/promotion/event_totals"): Described(
        summary="What the cycles of the last days decided.",
        query=(Parameter("days", int, 7, "1 to 90."),),
        media=(JSON, CSV),
        answer=list[shapes.DecisionTotals],
        example=[
            {
                "model": "ALL",
                "period_start": "2026-11-19T16:30:00Z",
                "period_end": "2026-11-26T16:30:00Z",
                "swap_production_b": 1,
                "retain_production": 8,
                "insufficient_data": 3,
                "alias_reorder": 2,
                "total_events": 12,
            }
        ],
        errors=(400,),
    ),
    ("GET", "/internal/promotion/status"): Described(
        summary="Where each family stands: its aliases, evidence, verdicts, pins and plan.",
        query=(_MODEL_TYPE,),
        answer=list[Status],
        errors=(400,),
    ),
    ("POST", "/internal/promotion/cycle"): Described(
        summary="Run a promotion cycle of one family, or of all; the row of each, or why it has none.",
        headers=(_KEY,),
        body=CycleBody,
        body_example={"model_type": "xgboost", "dry_run": True, "reason": "nightly"},
        answer=list[shapes.CycleRow],
        example=[{**_ROW, "id": None, "position": None}],
        errors=(400, 409),
    ),
    ("POST", "/internal/promotion/pin"): Described(
        summary="Hold a version behind an alias against cycles, reorders and trainings.",
        headers=(_KEY,),
        body=PinBody,
        body_example={**_ORDER, "alias": "Production", "expires": "2099-01-01T00:00:00Z"},
        answer=shapes.OrderTaken,
        example={
            **_TAKEN,
            "event": {
                "type": "promotion.alias_pinned",
                "model_type": "xgboost",
                "alias": "Production",
                "version": 1,
                "expires_us": 4_070_908_800_000_000,
                "actor": "ada",
                "reason": "a campaign runs until Monday",
                "key": None,
            },
        },
        errors=(409,),
    ),
    ("POST", "/internal/promotion/unpin"): Described(
        summary="Hold an alias no more.",
        headers=(_KEY,),
        body=UnpinBody,
        body_example={**_ORDER, "alias": "Production"},
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/promotion/swap"): Described(
        summary="Exchange Production with B, or with the alias that a version is behind.",
        headers=(_KEY,),
        body=SwapBody,
        body_example=_ORDER,
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/promotion/undo"): Described(
        summary="Bring back the versions from before the last swap.",
        headers=(_KEY,),
        body=OrderBody,
        body_example=_ORDER,
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/promotion/approve"): Described(
        summary="Let the swap that awaits approval be carried out.",
        headers=(_KEY,),
        body=AnswerBody,
        body_example=_ORDER,
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/promotion/reject"): Described(
        summary="Close the swap that awaits approval; the aliases stay as they are.",
        headers=(_KEY,),
        body=AnswerBody,
        body_example=_ORDER,
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/promotion/cancel"): Described(
        summary="Close the open plan without carrying it out.",
        headers=(_KEY,),
        body=OrderBody,
        body_example=_ORDER,
        answer=shapes.OrderTaken,
        errors=(409,),
    ),
    ("POST", "/internal/mlflow/webhook"): Described(
        summary="MLflow's webhook for aliases: a hint that the registry is to be looked at.",
        headers=tuple(
            Parameter(f"X-MLflow-{name}", str, example, needed=True)
            for name, example in (
                ("Delivery-Id", "0199f3a0"),
                ("Timestamp", "1795710600"),
                ("Signature", "v1,MBl4SA=="),
            )
        ),
        body=Delivery,
        body_example={
            "entity": "model_version_alias",
            "action": "created",
            "data": {"name": "rps_bot_xgboost", "alias": "Production", "version": "3"},
        },
        answer=shapes.Announced,
        errors=(401, 404),
    ),
    ("GET", "/internal/ledger/events"): Described(
        summary="The ledger's events in order, for programs that follow it.",
        query=(*_FEED, Parameter("limit", int, 100, "1 to 1000; by default 100.")),
        answer=shapes.Feed,
        errors=(400, 401, 409),
    ),
    ("GET", "/internal/ledger/stream"): Described(
        summary="The same as server-sent events, which go on; `Last-Event-ID` is a position.",
        query=(*_FEED, Parameter("limit", int, 1, "End after so many events; by default never.")),
        headers=(Parameter("Last-Event-ID", int, 0, "Goes before `after`."),),
        media=(STREAM,),
        answer=str,
        example='id: 1\nevent: game.started\ndata: {"position": 1, "type": "game.started"}\n\n',
        errors=(400, 401, 409, 429),
    ),
    ("POST", "/internal/training/complete"): Described(
        summary="Report a training run that ended elsewhere.",
        body=TrainingBody,
        body_example={"model_type": "xgboost", "status": "success", "duration_seconds": 42.0},
        answer=shapes.TrainingTaken,
        example={
            "success": True,
            "model_type": "xgboost",
            "status": "success",
            "duration_seconds": 42.0,
            "alias": None,
            "source": None,
            "accuracy": None,
            "model_version": None,
        },
        errors=(409,),
    ),
    ("GET", "/internal/grafana"): Described(
        summary="Grafana's simPod data source: save and test.",
        answer=shapes.GrafanaRoot,
        example={"ok": True, "metrics": ["promotion_history"]},
    ),
    ("POST", "/internal/grafana/metrics"): Described(
        summary="Grafana's simPod data source: what can be shown.",
        answer=list[shapes.GrafanaMetric],
        example=[{"label": "Swaps", "value": "promotion_swaps", "payloads": []}],
    ),
    ("POST", "/internal/grafana/metric-payload-options"): Described(
        summary="Grafana's simPod data source: the values of a form field.",
        body=OptionsBody,
        body_example={"name": "model_type", "metric": "promotion_history"},
        answer=list[shapes.GrafanaOption],
        example=[{"label": "xgboost", "value": "xgboost"}],
    ),
    ("POST", "/internal/grafana/query"): Described(
        summary="Grafana's simPod data source: a frame for each target.",
        body=QueryBody,
        body_example={"targets": [{"target": "promotion_event_totals", "refId": "A", "payload": {"days": 7}}]},
        answer=list[shapes.Frame],
        example=[{"refId": "A", "name": "Swaps", "fields": [{"name": "time", "type": "time", "values": []}]}],
    ),
    ("POST", "/internal/grafana/variable"): Described(
        summary="Grafana's simPod data source: the values of a variable.",
        body=VariableBody,
        body_example={"payload": {"target": "models"}},
        answer=list[shapes.VariableValue],
        example=[{"__text": "xgboost", "__value": "xgboost"}],
    ),
    ("GET", "/openapi.json"): Described(
        summary="This description, as OpenAPI 3.1.",
        answer=dict[str, Any],
        example={"openapi": "3.1.0"},
    ),
    ("GET", "/runbook"): Described(
        summary="Every alert, with what to do.", media=(HTML,), answer=str, example="<!doctype html>"
    ),
    ("GET", "/openapi"): Described(
        summary="This description, as a page.", media=(HTML,), answer=str, example="<!doctype html>"
    ),
    **PAGES,
    **PLAYERS,
}
