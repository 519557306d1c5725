"""The service in Kubernetes as a cluster on PostgreSQL: processes that play, projectors, and their Services.

Both kinds bear the label of the app, so that each is scraped for what it counts for itself. The Service of that
name leads to the projectors: Grafana and the scrape of the ledger's series find there what one process showed.
"""

from typing import Any

from gameplay.observability.provisioning.kubernetes import (
    IMAGE,
    SECRET,
    USER,
    environment,
    metadata,
    probe,
    scraping,
)
from gameplay.observability.site import APP, CONTAINER_PORT, NAMESPACE, SERVICE_PORT
from gameplay.setting_values import Role

PLAY = "rps-play"
PROJECTOR = "rps-projector"
SEAL_KEY_SECRET = "rps-seal-key"
SEAL_KEY_FOLDER = "/keys"
MLFLOW_URL = f"http://mlflow.{NAMESPACE}.svc.cluster.local:5000"
STORE_URL = "s3://mlflow-artifacts"
STORE_ENDPOINT = f"http://minio.{NAMESPACE}.svc.cluster.local:9000"
HOST = "rps.example.com"
GAME_PATHS = ("/play", "/start_game", "/round_points", "/policies", "/erase_name")
"""What processes that play answer; all else is the projectors'."""


def cluster() -> list[dict[str, Any]]:
    """The Deployments by role, with what keeps them up, and the Services."""
    return [
        _deployment(PROJECTOR, "projector", replicas=2),
        _budget(PROJECTOR, "projector"),
        _service(APP, "projector"),
        _deployment(PLAY, "play", replicas=3),
        _budget(PLAY, "play"),
        _service(PLAY, "play"),
        _ingress(),
    ]


def _labels(role: Role) -> dict[str, str]:
    return {"app": APP, "role": role}


def _deployment(name: str, role: Role, *, replicas: int) -> dict[str, Any]:
    apart = {"labelSelector": {"matchLabels": _labels(role)}, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        "enableServiceLinks": False,
        "securityContext": USER,
        "terminationGracePeriodSeconds": 30,
        # Two on one node would be lost with it.
        "topologySpreadConstraints": [{**apart, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}],
        "containers": [_container(role)],
        "volumes": _volumes(role),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, _labels(role)),
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": _labels(role)},
            "template": {"metadata": {"labels": _labels(role), "annotations": scraping()}, "spec": pod},
        },
    }


def _container(role: Role) -> dict[str, Any]:
    shared = {
        "RPS_ROLE": role,
        "MLFLOW_TRACKING_URI": MLFLOW_URL,
        "RPS_MODEL_STORE_URL": STORE_URL,
        "MINIO_ENDPOINT": STORE_ENDPOINT,
    }
    mounts = [{"name": "data", "mountPath": "/data"}]
    if role == "projector":
        shared["RPS_SEAL_KEY"] = f"{SEAL_KEY_FOLDER}/seal.key"
        mounts.append({"name": "seal-key", "mountPath": SEAL_KEY_FOLDER})
    return {
        "name": APP,
        "image": IMAGE,
        "args": ["rps", "serve"],
        "ports": [{"name": "http", "containerPort": CONTAINER_PORT}],
        "env": [{"name": name, "value": value} for name, value in {**environment(), **shared}.items()],
        # RPS_DATABASE_URL with its password, the store's keys, RPS_INTERNAL_TOKEN.
        "envFrom": [{"secretRef": {"name": SECRET}}],
        "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "startupProbe": {**probe("/healthz"), "periodSeconds": 5, "failureThreshold": 120},
        "livenessProbe": {**probe("/healthz"), "periodSeconds": 10, "failureThreshold": 3},
        # Longer than a failover of the database, in which no process is ready and all will be again.
        "readinessProbe": {**probe("/readyz"), "periodSeconds": 2, "failureThreshold": 6},
    }


def _volumes(role: Role) -> list[dict[str, Any]]:
    # Nothing lasts in it: the ledger is on the server, and its newest checkpoint in the model store.
    volumes: list[dict[str, Any]] = [{"name": "data", "emptyDir": {}}]
    if role == "projector":
        # One key for all projectors: each may be the one that seals.
        secret = {"secretName": SEAL_KEY_SECRET, "defaultMode": 0o440}
        volumes.append({"name": "seal-key", "secret": secret})
    return volumes


def _budget(name: str, role: Role) -> dict[str, Any]:
    """No drain of nodes takes more than one at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, _labels(role)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels(role)}},
    }


def _ingress() -> dict[str, Any]:
    """One origin for all. It knows no games: where each should stay on one process, HAProxy takes its place."""
    paths = [_path(path, PLAY) for path in GAME_PATHS]
    rule = {"host": HOST, "http": {"paths": [*paths, _path("/", APP)]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(APP, {"app": APP}),
        "spec": {"rules": [rule]},
    }


def _path(path: str, service: str) -> dict[str, Any]:
    # By whole parts of a path: a trailing slash makes no difference, and the longest path that fits is taken.
    backend = {"service": {"name": service, "port": {"name": "http"}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}


def _service(name: str, role: Role) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata(name, _labels(role)), "annotations": scraping()},
        "spec": {
            "selector": _labels(role),
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http"}],
        },
    }
