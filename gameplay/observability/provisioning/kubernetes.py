"""The service in Kubernetes: one pod with its ledger on a volume, and the Service in front of it."""

from typing import Any

from gameplay.observability.site import APP, CONTAINER_PORT, DASHBOARD_UID, NAMESPACE, SERVICE_PORT
from gameplay.telemetry import OPT_OUTS
from projections.read_models.counters import SINCE_DATE

IMAGE = "rps-app:latest"
DATA_FOLDER = "/data"
SECRET = "rps-app"
GRAFANA_URL = "https://grafana.example.com"

_LABELS = {"app": APP}


def deployment() -> list[dict[str, Any]]:
    """The volume's claim and the Deployment."""
    return [_claim(), _deployment()]


def service() -> dict[str, Any]:
    """The address that does not change. Endpoints are selected by the Service's own labels, so it needs them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": APP, "namespace": NAMESPACE, "labels": _LABELS, "annotations": _scraping()},
        "spec": {
            "selector": _LABELS,
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http"}],
        },
    }


def _scraping() -> dict[str, str]:
    """The port is the container's: pods and endpoints are scraped, not the Service's own port."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": str(CONTAINER_PORT),
    }


def _claim() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{APP}-data", "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }


def _deployment() -> dict[str, Any]:
    pod = {
        # Or Kubernetes sets RPS_APP_PORT and the like for the Service, and unknown RPS_ variables are refused.
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10_001, "fsGroup": 10_001},
        "terminationGracePeriodSeconds": 30,
        "containers": [_container()],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"{APP}-data"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            # SQLite on one volume: the old pod must be gone before the new one opens the ledger.
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS, "annotations": _scraping()}, "spec": pod},
        },
    }


def _container() -> dict[str, Any]:
    environment = {
        "RPS_HOST": "0.0.0.0",
        "RPS_PORT": str(CONTAINER_PORT),
        "RPS_DATA_DIR": DATA_FOLDER,
        "METRICS_SINCE_DATE": SINCE_DATE,
        "GRAFANA_DASHBOARD_URL": f"{GRAFANA_URL}/d/{DASHBOARD_UID}",
        **OPT_OUTS,
    }
    return {
        "name": APP,
        "image": IMAGE,
        "args": ["rps", "serve"],
        "ports": [{"name": "http", "containerPort": CONTAINER_PORT}],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        # RPS_INTERNAL_TOKEN and the other secrets; without the token no report from outside the pod is accepted.
        "envFrom": [{"secretRef": {"name": SECRET, "optional": True}}],
        "volumeMounts": [{"name": "data", "mountPath": DATA_FOLDER}],
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        # The first start plays games and trains before it serves, which takes a minute or two.
        "startupProbe": {**_probe("/healthz"), "periodSeconds": 5, "failureThreshold": 120},
        "livenessProbe": {**_probe("/healthz"), "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 5, "failureThreshold": 2},
    }


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}
