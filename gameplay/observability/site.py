"""Names and addresses that the generated files share: one list, so that no two files disagree."""

from typing import Final

PROMETHEUS_UID: Final = "grafanacloud-ml-metrics"
LEDGER_UID: Final = "rps-promotion-ledger"
"""The JSON data source, by any of its three plugins."""

GRAFANA_UIDS: Final = frozenset({"-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana", "__expr__"})
"""Sources that every Grafana has: its own data, several at once, another panel's data, expressions."""

DATASOURCE_UIDS: Final = frozenset({PROMETHEUS_UID, LEDGER_UID}) | GRAFANA_UIDS
"""Every uid that a dashboard or an alert may name."""

DASHBOARD_UID: Final = "18dc23df-eea3-406c-a7e7-99066a987538"
FOLDER: Final = "RPS"
FOLDER_UID: Final = "rps"

NAMESPACE: Final = "mlops-poc"
APP: Final = "rps-app"
CONTAINER_PORT: Final = 8080
SERVICE_PORT: Final = 80
AUDIT_APP: Final = "rps-audit"
AUDIT_PORT: Final = 9477
AUDIT_HOST: Final = f"{AUDIT_APP}.{NAMESPACE}.svc.cluster.local"
SERVICE_HOST: Final = f"{APP}.{NAMESPACE}.svc.cluster.local"
SERVICE_URL: Final = f"http://{SERVICE_HOST}"
"""No slash at the end: the JSON plugins append the path to it."""

SERVICE_VARIABLE: Final = "service"
"""The dashboard's variable with the service's address as a reader's browser has it, for links to pages."""

HISTORY_PATH: Final = "/internal/promotion/history"
TOTALS_PATH: Final = "/internal/promotion/event_totals"
RUNBOOK_PATH: Final = "/runbook"
"""The service's page of every alert: what it means, and what to do."""
SIMPOD_PATH: Final = "/internal/grafana"

PROCESS_JOB: Final = "rps-app"
AUDIT_JOB: Final = "rps-audit"

SCRAPE_SECONDS: Final = 30
SCRAPE_TIMEOUT_SECONDS: Final = 10
