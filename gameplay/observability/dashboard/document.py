"""The whole dashboard: rows, panels, variables and annotations, with the JSON API plugin for the ledger."""

from gameplay.observability.dashboard.history_query import SWAP_COLUMNS, SWAPS, HistoryQuery
from gameplay.observability.dashboard.history_targets import JSON_API, datasource, json_api
from gameplay.observability.dashboard.operation import operation_panels
from gameplay.observability.dashboard.operator import operator_panels
from gameplay.observability.dashboard.policies import policy_panels
from gameplay.observability.dashboard.promotions import promotion_panels
from gameplay.observability.dashboard.rule_in_force import rule_panels
from gameplay.observability.dashboard.traffic import traffic_panels, training_panels
from gameplay.observability.dashboard.visuals import PROMETHEUS, Json, row
from gameplay.observability.promql import vector
from gameplay.observability.site import DASHBOARD_UID, RUNBOOK_PATH, SERVICE_URL, SERVICE_VARIABLE
from ledger.vocabulary import POLICIES

TITLE = "RPS Promotion Ledger"
PANEL_IDS = (*range(201, 235), *range(240, 242))
SCHEMA_VERSION = 42
"""What Grafana 12.2 and later write, and the last of this form: dashboards after it are elements and a layout."""
WINDOWS = ("1h", "6h", "12h", "24h", "7d")
WINDOW = "12h"
LINKS = {"Overview": "/", "Models": "/models", "Runbook": RUNBOOK_PATH, "HTTP": "/openapi"}
"""What stands on top -> the page of the service."""


def generated_dashboard() -> Json:
    """The dashboard as it is provisioned; every call makes a new one."""
    return {
        "annotations": {"list": [_builtin(), _swaps(), _swaps_with_reasons()]},
        "description": "Models, games and promotions of the Rock-Paper-Scissors service, folded from its ledger.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_link(title, path) for title, path in LINKS.items()],
        "panels": [
            row(1, "Policies", 0),
            *policy_panels(),
            row(2, "Throughput", 25),
            *traffic_panels(),
            row(3, "Training and fallbacks", 40),
            *training_panels(),
            row(4, "Promotion", 49),
            *promotion_panels(),
            row(5, "Operation", 76),
            *operation_panels(),
            row(6, "Rule in force", 101),
            *rule_panels(),
            row(7, "Operator", 110),
            *operator_panels(),
        ],
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["rps", "promotion-ledger"],
        "templating": {"list": [_policy(), _window(), _service()]},
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": TITLE,
        "uid": DASHBOARD_UID,
        "weekStart": "",
    }


def _link(title: str, path: str) -> Json:
    """A link at the top, to a page of the service."""
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": False,
        "tags": [],
        "targetBlank": True,
        "title": title,
        "tooltip": "",
        "type": "link",
        "url": f"${{{SERVICE_VARIABLE}:raw}}{path}",
    }


def _policy() -> Json:
    games = f"label_values({vector('rps_games_total')}, policy)"
    return {
        "allValue": ".*",
        "current": {"text": list(POLICIES), "value": list(POLICIES)},
        "datasource": PROMETHEUS,
        "definition": games,
        "hide": 0,
        "includeAll": True,
        "label": "Policy",
        "multi": True,
        "name": "policy",
        "options": [],
        "query": {"qryType": 1, "query": games, "refId": "policies"},
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def _window() -> Json:
    options = [{"selected": window == WINDOW, "text": window, "value": window} for window in WINDOWS]
    return {
        "current": {"text": WINDOW, "value": WINDOW},
        "hide": 0,
        "includeAll": False,
        "label": "Window",
        "multi": False,
        "name": "window",
        "options": options,
        "query": ",".join(WINDOWS),
        "skipUrlSync": False,
        "type": "custom",
    }


def _service() -> Json:
    """Where links lead: Grafana reaches the service by an address that a reader's browser may not know."""
    return {
        "current": {"text": SERVICE_URL, "value": SERVICE_URL},
        "hide": 0,
        "label": "Service",
        "name": SERVICE_VARIABLE,
        "options": [],
        "query": SERVICE_URL,
        "skipUrlSync": False,
        "type": "textbox",
    }


def _builtin() -> Json:
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _swaps() -> Json:
    """Each swap at its own time, by the gauge's value: it needs no JSON plugin."""
    return {
        "datasource": PROMETHEUS,
        "enable": True,
        "expr": f"{vector('rps_model_promotion_last_swap_timestamp_seconds')} * 1000",
        "hide": False,
        "iconColor": "green",
        "name": "Swaps",
        "step": "60s",
        "tagKeys": "model",
        "textFormat": "Production and B exchanged",
        "titleFormat": "{{model}}: swap",
        "useValueForTime": True,
    }


def _swaps_with_reasons() -> Json:
    return {
        "datasource": datasource(JSON_API),
        "enable": False,
        "hide": False,
        "iconColor": "green",
        "name": "Swaps, with reasons",
        "target": json_api(HistoryQuery(SWAP_COLUMNS, SWAPS, ref="Swaps")),
    }
