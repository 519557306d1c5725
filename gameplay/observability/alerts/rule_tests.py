"""Unit tests of the Prometheus rules, for `promtool test rules`: when each alert fires, and when it must not.

For every threshold, window and gate there is a minute at which another one would give another answer.
"""

from typing import Any

from gameplay.observability.alerts.case import Case, Labels
from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.alerts.model_cases import model_cases
from gameplay.observability.alerts.operation_cases import operation_cases
from gameplay.observability.alerts.rule import Alert

EVALUATION_MINUTES = 5
"""Cases name multiples of it. An evaluation every minute would show no more and take five times as long."""


def unit_tests(rule_file: str) -> dict[str, Any]:
    """The tests of a rule file that lies beside them."""
    tests = [_test(case) for case in cases()]
    return {"rule_files": [rule_file], "evaluation_interval": f"{EVALUATION_MINUTES}m", "tests": tests}


def cases() -> list[Case]:
    return [*model_cases(), *operation_cases()]


def _test(case: Case) -> dict[str, Any]:
    alert = next(alert for alert in alerts() if alert.title == case.title)
    return {
        "name": f"{case.title}: {case.story}",
        "interval": f"{case.step}m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{minutes}m",
                "alertname": alert.name,
                "exp_alerts": [_expected(alert, labels) for labels in firing],
            }
            for minutes, firing in case.firing.items()
        ],
    }


def _expected(alert: Alert, labels: Labels) -> dict[str, Any]:
    filled = dict(alert.annotations)
    for label, value in labels.items():
        filled = {name: text.replace(f"{{{{ $labels.{label} }}}}", value) for name, text in filled.items()}
    return {"exp_labels": {**alert.labels, **labels}, "exp_annotations": filled}
