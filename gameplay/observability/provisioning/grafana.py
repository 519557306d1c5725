"""Grafana's provisioning files: the data sources under the uids that the dashboard names, and its place."""

from typing import Any

from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, SIMPOD
from gameplay.observability.site import (
    FOLDER,
    FOLDER_UID,
    LEDGER_UID,
    PROMETHEUS_UID,
    SCRAPE_SECONDS,
    SERVICE_URL,
    SIMPOD_PATH,
)
from projections.metrics.series import EXEMPLAR_LABEL

PROMETHEUS_URL = "http://prometheus:9090"
DASHBOARDS_FOLDER = "/var/lib/grafana/dashboards/rps"


def datasources_file(
    plugin: str = JSON_API, service: str = SERVICE_URL, pages: str = SERVICE_URL
) -> dict[str, Any]:
    """Prometheus, and the ledger by one of the three plugins, under one uid.

    `service` is the address for Grafana's server, `pages` the one for a reader's browser.
    """
    return {"apiVersion": 1, "datasources": [_prometheus(pages), _ledger(plugin, service)]}


def dashboards_file() -> dict[str, Any]:
    """Where Grafana looks for the dashboard."""
    provider = {
        "name": "rps",
        "orgId": 1,
        "folder": FOLDER,
        "folderUid": FOLDER_UID,
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": True,
        "updateIntervalSeconds": 30,
        "options": {"path": DASHBOARDS_FOLDER, "foldersFromFilesStructure": False},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _prometheus(pages: str) -> dict[str, Any]:
    return {
        "name": "RPS metrics",
        "uid": PROMETHEUS_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": PROMETHEUS_URL,
        # $__rate_interval is four times this; less than the scrape interval would leave gaps.
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": f"{SCRAPE_SECONDS}s",
            "exemplarTraceIdDestinations": [_event_of_exemplar(pages)],
        },
        "editable": True,
    }


def _event_of_exemplar(pages: str) -> dict[str, str]:
    """From an exemplar of a promotion counter to the event that moved it last."""
    # Grafana puts environment variables into these files: two dollar signs leave one.
    return {
        "name": EXEMPLAR_LABEL,
        "url": f"{pages}/events/$${{__value.raw}}",
        "urlDisplayLabel": "Event in the ledger",
    }


def _ledger(plugin: str, service: str) -> dict[str, Any]:
    """Through Grafana's server: from a browser the plugins put the wrong address together."""
    source = {
        "name": "RPS promotion ledger",
        "uid": LEDGER_UID,
        "type": plugin,
        "access": "proxy",
        "url": service + (SIMPOD_PATH if plugin == SIMPOD else ""),
        "editable": True,
    }
    if plugin == INFINITY:
        source["jsonData"] = {
            "allowedHosts": [service],
            "customHealthCheckEnabled": True,
            "customHealthCheckUrl": service,
        }
    return source
