"""Every alert, in the order of the files."""

from gameplay.observability.alerts.models import model_alerts
from gameplay.observability.alerts.operation import operation_alerts
from gameplay.observability.alerts.rule import Alert


def alerts() -> list[Alert]:
    return [*model_alerts(), *operation_alerts()]
