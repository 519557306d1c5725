"""The alerts as a Prometheus rule file."""

from typing import Any

from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.alerts.rule import Alert

GROUP = "rps-promotion-ledger"
INTERVAL = "1m"


def rule_file() -> dict[str, Any]:
    return {"groups": [{"name": GROUP, "interval": INTERVAL, "rules": [_rule(alert) for alert in alerts()]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": alert.hold} if alert.hold != "0s" else {}),
        "labels": alert.labels,
        "annotations": alert.annotations,
    }
