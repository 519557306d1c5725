"""What the services of `compose.yaml` read: there they find each other by their names, without a cluster."""

from typing import Any

from gameplay.observability.dashboard.history_targets import INFINITY
from gameplay.observability.provisioning.grafana import datasources_file
from gameplay.observability.provisioning.scraping import RULE_FILE, scrapes
from gameplay.observability.site import AUDIT_PORT, CONTAINER_PORT, SCRAPE_SECONDS

SERVICE = f"rps:{CONTAINER_PORT}"
WATCH = f"audit:{AUDIT_PORT}"
PROMETHEUS = "prometheus:9090"
PAGES = f"http://127.0.0.1:{CONTAINER_PORT}"


def compose_prometheus() -> dict[str, Any]:
    """The rules alone: Alloy scrapes, and writes what it has seen."""
    return {"global": {"evaluation_interval": f"{SCRAPE_SECONDS}s"}, "rule_files": [RULE_FILE]}


def compose_alloy() -> str:
    """The same three jobs as in a cluster, with one address each."""
    return f"""\
// Made by `rps dashboard`.
{scrapes(f'[{{ __address__ = "{SERVICE}" }}]', SERVICE, WATCH)}
prometheus.remote_write "metrics" {{
  endpoint {{
    url = "http://{PROMETHEUS}/api/v1/write"
  }}
}}
"""


def compose_datasources() -> dict[str, Any]:
    """Prometheus, and the ledger through Infinity, whose plugin is the one that lives on."""
    return datasources_file(INFINITY, f"http://{SERVICE}", PAGES)
