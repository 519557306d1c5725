"""The service in Kubernetes: one pod with its ledger on a volume, its Service, and the audit beside it."""

from collections.abc import Mapping
from typing import Any

from gameplay.observability.site import (
    APP,
    AUDIT_APP,
    AUDIT_PORT,
    CONTAINER_PORT,
    DASHBOARD_UID,
    NAMESPACE,
    SERVICE_HOST,
    SERVICE_PORT,
)
from gameplay.telemetry import OPT_OUTS
from projections.since import SINCE_DATE

IMAGE = "rps-app:latest"
DATA_FOLDER = "/data"
SECRET = "rps-app"
GRAFANA_URL = "https://grafana.example.com"

# The ledger's files belong to this user alone.
USER = {"runAsNonRoot": True, "runAsUser": 10_001, "fsGroup": 10_001}
_LABELS = {"app": APP}
_AUDIT_LABELS = {"app": AUDIT_APP}


def deployment() -> list[dict[str, Any]]:
    """The volume's claim and the StatefulSet."""
    return [_claim(), _deployment()]


def service() -> dict[str, Any]:
    """The address that does not change. Endpoints are selected by the Service's own labels, so it needs them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": APP, "namespace": NAMESPACE, "labels": _LABELS, "annotations": scraping()},
        "spec": {
            "selector": _LABELS,
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http"}],
        },
    }


def audit() -> list[dict[str, Any]]:
    """`rps-audit watch` as a Deployment and a Service of its own: its end makes no pod of the service unready."""
    metadata = {"name": AUDIT_APP, "namespace": NAMESPACE, "labels": _AUDIT_LABELS}
    # The volume can be mounted on one node only, the one on which the service runs.
    beside = {"labelSelector": {"matchLabels": _LABELS}, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        "enableServiceLinks": False,
        "securityContext": USER,
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}},
        "containers": [_watch()],
        "volumes": [_volume()],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": _AUDIT_LABELS},
        "template": {"metadata": {"labels": _AUDIT_LABELS}, "spec": pod},
    }
    ports = [{"name": "metrics", "port": AUDIT_PORT, "targetPort": "metrics"}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": _AUDIT_LABELS, "ports": ports},
        },
    ]


def cycles() -> list[dict[str, Any]]:
    """A CronJob that asks the service for a cycle: instead of its own schedule, never beside it.

    The Job's name is the key, so a retry after an answer that was lost is the same cycle.
    """
    labels = {"app": f"{APP}-cycle"}
    name = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
    token = {"secretKeyRef": {"name": SECRET, "key": "RPS_INTERNAL_TOKEN"}}
    url = f"http://{SERVICE_HOST}:{SERVICE_PORT}"
    container = {
        "name": "cycle",
        "image": IMAGE,
        "args": ["rps", "promote", "--url", url, "--key", "$(JOB_NAME)", "--reason", "CronJob"],
        "env": [{"name": "JOB_NAME", "valueFrom": name}, {"name": "RPS_INTERNAL_TOKEN", "valueFrom": token}],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    }
    pod = {
        "enableServiceLinks": False,
        "securityContext": USER,
        "restartPolicy": "Never",
        "containers": [container],
    }
    job = {"backoffLimit": 3, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": metadata(f"{APP}-cycle", labels),
            "spec": {
                "schedule": "*/30 * * * *",
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 600,
                "jobTemplate": {"spec": job},
            },
        }
    ]


def _watch() -> dict[str, Any]:
    """Before the first start of the service there is no ledger: the watch ends, and Kubernetes starts it again."""
    return {
        "name": AUDIT_APP,
        "image": IMAGE,
        "args": ["rps-audit", "--database", f"sqlite:///{DATA_FOLDER}/ledger.db", "watch", "--host", "0.0.0.0"],
        "ports": [{"name": "metrics", "containerPort": AUDIT_PORT}],
        "volumeMounts": [_mount()],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
    }


def _volume() -> dict[str, Any]:
    return {"name": "data", "persistentVolumeClaim": {"claimName": f"{APP}-data"}}


def _mount() -> dict[str, Any]:
    """Not read-only, for the watch either: readers of SQLite's log share its index with the writer."""
    return {"name": "data", "mountPath": DATA_FOLDER}


def metadata(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The name of an object, its place and its labels."""
    return {"name": name, "namespace": NAMESPACE, "labels": dict(labels)}


def scraping() -> dict[str, str]:
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
        "securityContext": USER,
        "terminationGracePeriodSeconds": 30,
        "containers": [_container()],
        "volumes": [_volume()],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": APP, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            # SQLite on one volume: a StatefulSet makes a new pod only when the old one is known to be gone.
            "serviceName": APP,
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS, "annotations": scraping()}, "spec": pod},
        },
    }


def environment() -> dict[str, str]:
    """What every process in a container is set to."""
    return {
        "RPS_HOST": "0.0.0.0",
        "RPS_PORT": str(CONTAINER_PORT),
        "RPS_DATA_DIR": DATA_FOLDER,
        "METRICS_SINCE_DATE": SINCE_DATE,
        "GRAFANA_DASHBOARD_URL": f"{GRAFANA_URL}/d/{DASHBOARD_UID}",
        **OPT_OUTS,
    }


def _container() -> dict[str, Any]:
    return {
        "name": APP,
        "image": IMAGE,
        "args": ["rps", "serve"],
        "ports": [{"name": "http", "containerPort": CONTAINER_PORT}],
        "env": [{"name": name, "value": value} for name, value in environment().items()],
        # RPS_INTERNAL_TOKEN and the other secrets; without the token no report from outside the pod is accepted.
        "envFrom": [{"secretRef": {"name": SECRET, "optional": True}}],
        "volumeMounts": [_mount()],
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        # The first start plays games and trains before it serves, which takes a minute or two.
        "startupProbe": {**probe("/healthz"), "periodSeconds": 5, "failureThreshold": 120},
        "livenessProbe": {**probe("/healthz"), "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {**probe("/readyz"), "periodSeconds": 5, "failureThreshold": 2},
    }


def probe(path: str) -> dict[str, Any]:
    """A question that Kubernetes asks a process."""
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}
