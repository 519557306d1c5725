"""An alert: a number, its threshold, and a gate that keeps it quiet where the number means nothing."""

from typing import Literal, NamedTuple

from gameplay.observability.site import RUNBOOK_PATH, SERVICE_URL
from ledger.vocabulary import Policy

Severity = Literal["info", "warning", "critical"]


class Alert(NamedTuple):
    """`value` is compared with `threshold`: two fields, since Grafana wants the comparison as its own step."""

    name: str
    value: str
    comparison: Literal["<", ">"]
    threshold: float
    gate: str
    hold: str
    severity: Severity
    panel_id: int | None
    """The panel to look at, where one shows it."""
    summary: str
    description: str
    policy: Policy | None = None
    """Whose models it watches, where every policy has an alert of its own."""

    @property
    def title(self) -> str:
        """Unique, as Grafana demands; the name is shared by the alerts of all policies."""
        return self.name if self.policy is None else f"{self.name} ({self.policy})"

    @property
    def labels(self) -> dict[str, str]:
        """What routes and silences match on."""
        of_policy = {} if self.policy is None else {"policy": self.policy}
        return {"severity": self.severity, "service": "rps", **of_policy}

    @property
    def expression(self) -> str:
        """The whole condition in PromQL; the comparison binds closer than the gate's `and` or `unless`."""
        condition = f"{self.value} {self.comparison} {self.threshold}"
        return f"{condition} {self.gate}" if self.gate else condition

    @property
    def annotations(self) -> dict[str, str]:
        """What the person on call reads; the panel is the number of the one to look at."""
        panel = {} if self.panel_id is None else {"panel": str(self.panel_id)}
        return {"summary": self.summary, "description": self.description, "runbook_url": self.runbook_url, **panel}

    @property
    def runbook_url(self) -> str:
        """Where the alert is explained, on the service's own page: of the release that made the rule."""
        return f"{SERVICE_URL}{RUNBOOK_PATH}#{self.name}"

    @property
    def gated_value(self) -> str:
        """The number where the gate is open, without a sample elsewhere."""
        return f"{self.value} {self.gate}" if self.gate else self.value
