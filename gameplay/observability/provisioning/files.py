"""What lies in `ops/`: each generated file and its content."""

import hashlib
import json
from typing import Any

from gameplay.observability.alerts.grafana import provisioning_file, rule_group
from gameplay.observability.alerts.prometheus import rule_file
from gameplay.observability.alerts.rule_tests import unit_tests
from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, SIMPOD
from gameplay.observability.dashboard.variants import importable, plugin_of, translated
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.provisioning.cluster import cluster
from gameplay.observability.provisioning.compose import compose_alloy, compose_datasources, compose_prometheus
from gameplay.observability.provisioning.grafana import dashboards_file, datasources_file
from gameplay.observability.provisioning.hardening import budget, hardened, namespace
from gameplay.observability.provisioning.kubernetes import audit, cycles, deployment, service
from gameplay.observability.provisioning.replica import replicated
from gameplay.observability.provisioning.scraping import RULE_FILE, RULE_TEST_FILE, alloy_file, prometheus_file

PRETTY = "grafana-dashboard.pretty.json"
COMPACT = "grafana-dashboard.json"
DIGEST = "grafana-dashboard.sha256"
"""The digest of the dashboard that was written last: one that has another was edited since."""


def documents(dashboard: Json) -> dict[str, Any]:
    """Path within `ops/` -> a JSON value, a list of YAML documents, or text; all of them follow this dashboard."""
    return {
        PRETTY: dashboard,
        COMPACT: dashboard,
        DIGEST: f"{digest(dashboard)}\n",
        "grafana-dashboard.infinity.json": translated(dashboard, INFINITY),
        "grafana-dashboard.simpod.json": translated(dashboard, SIMPOD),
        "grafana-dashboard.import.json": importable(dashboard),
        "grafana/provisioning/datasources/rps.yaml": [datasources_file(provisioned_plugin(dashboard))],
        "grafana/provisioning/dashboards/rps.yaml": [dashboards_file()],
        "grafana/provisioning/alerting/rps.yaml": [provisioning_file()],
        "grafana/variants/datasources.json-api.yaml": [datasources_file(JSON_API)],
        "grafana/variants/datasources.infinity.yaml": [datasources_file(INFINITY)],
        "grafana/variants/datasources.simpod.yaml": [datasources_file(SIMPOD)],
        "snippets/auto-promotion-alert.json": rule_group(),
        RULE_FILE: [rule_file()],
        RULE_TEST_FILE: [unit_tests(RULE_FILE)],
        "prometheus.yml": [prometheus_file()],
        "alloy-config.alloy": alloy_file(),
        "compose/prometheus.yml": [compose_prometheus()],
        "compose/config.alloy": compose_alloy(),
        "compose/datasources.yaml": [compose_datasources()],
        "k8s-namespace.yaml": namespace(),
        "k8s-deployment.yaml": [*hardened(deployment()), budget()],
        "k8s-litestream.yaml": hardened(replicated()),
        "k8s-service.yaml": [service()],
        "k8s-audit.yaml": hardened(audit()),
        "k8s-promotion-cronjob.yaml": hardened(cycles()),
        "k8s-cluster.yaml": hardened(cluster()),
    }


def provisioned_plugin(dashboard: Json) -> str:
    """What a new Grafana gets: Infinity, unless the dashboard was adopted from another plugin than JSON API.

    JSON API stays in the default file, for Grafanas that have it, and has no support after 2027-02-01.
    """
    plugin = plugin_of(dashboard)
    return INFINITY if plugin == JSON_API else plugin


def digest(dashboard: Json) -> str:
    """Of what a dashboard says, not of its bytes: `jq` and another order of the keys leave it as it is."""
    text = json.dumps(dashboard, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
