"""The alerts as Grafana's own: a file for provisioning, and a rule group for its HTTP API."""

import hashlib
from typing import Any

from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.alerts.rule import Alert
from gameplay.observability.site import DASHBOARD_UID, FOLDER, FOLDER_UID, PROMETHEUS_UID

GROUP = "rps-promotion-ledger"
INTERVAL_SECONDS = 60
ORGANIZATION = 1

_EVALUATORS = {"<": "lt", ">": "gt"}


def provisioning_file() -> dict[str, Any]:
    """For `provisioning/alerting`. Rules from a file cannot be edited in Grafana."""
    rules = [_rule(alert) for alert in alerts()]
    group = {
        "orgId": ORGANIZATION,
        "name": GROUP,
        "folder": FOLDER,
        "interval": f"{INTERVAL_SECONDS}s",
        "rules": rules,
    }
    return {"apiVersion": 1, "groups": [group]}


def rule_group() -> dict[str, Any]:
    """The body of `PUT /api/v1/provisioning/folder/<folder>/rule-groups/<group>`."""
    there = {"folderUID": FOLDER_UID, "orgID": ORGANIZATION, "ruleGroup": GROUP}
    rules = [_rule(alert) | there for alert in alerts()]
    return {"folderUid": FOLDER_UID, "interval": INTERVAL_SECONDS, "rules": rules, "title": GROUP}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "uid": _uid(alert),
        "title": alert.title,
        "condition": "C",
        "data": [_query(alert), _threshold(alert)],
        # The queries filter, so an empty answer is the good case; by default Grafana alerts on it.
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.hold,
        "annotations": {
            **_panel(alert),
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": alert.runbook_url,
        },
        "labels": alert.labels,
        "isPaused": False,
    }


def _panel(alert: Alert) -> dict[str, str]:
    """Grafana refuses one of the two without the other."""
    if alert.panel_id is None:
        return {}
    return {"__dashboardUid__": DASHBOARD_UID, "__panelId__": str(alert.panel_id)}


def _uid(alert: Alert) -> str:
    """Follows from the title, so that a second import changes the rule and makes no other."""
    return f"rps-{hashlib.sha256(alert.title.encode()).hexdigest()[:12]}"


def _query(alert: Alert) -> dict[str, Any]:
    model = {
        "datasource": {"type": "prometheus", "uid": PROMETHEUS_UID},
        "editorMode": "code",
        "expr": alert.gated_value,
        "instant": True,
        "intervalMs": 60_000,
        "maxDataPoints": 43_200,
        "range": False,
        "refId": "A",
    }
    times = {"from": 600, "to": 0}
    return {"refId": "A", "relativeTimeRange": times, "datasourceUid": PROMETHEUS_UID, "model": model}


def _threshold(alert: Alert) -> dict[str, Any]:
    """The comparison as a node of its own: in PromQL it would drop the very samples that Grafana wants to see."""
    evaluator = {"type": _EVALUATORS[alert.comparison], "params": [alert.threshold]}
    model = {
        "conditions": [{"evaluator": evaluator, "type": "query"}],
        "datasource": {"type": "__expr__", "uid": "__expr__"},
        "expression": "A",
        "refId": "C",
        "type": "threshold",
    }
    return {
        "refId": "C",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": model,
    }
