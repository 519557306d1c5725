"""Every pod at the level "restricted" of Kubernetes' Pod Security, and the namespace that asks for it.

On top of that level a pod has a root that is read-only, an empty /tmp, and no token of the cluster's API.
"""

import copy
from collections.abc import Sequence
from typing import Any

from gameplay.observability.site import APP, AUDIT_APP, AUDIT_PORT, CONTAINER_PORT, NAMESPACE

MONITORING_NAMESPACE = "monitoring"
POSTGRESQL_PORT, MLFLOW_PORT, STORE_PORT, HTTPS_PORT, DNS_PORT = 5432, 5000, 9000, 443, 53

_POD = {"runAsGroup": 10_001, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_TMP = {"name": "tmp", "mountPath": "/tmp"}


def hardened(manifests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The manifests with every pod in them restricted."""
    return [_hardened(one) if _has_pods(one) else one for one in manifests]


def _has_pods(manifest: dict[str, Any]) -> bool:
    return not {"template", "jobTemplate"}.isdisjoint(manifest.get("spec", {}))


def _pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"]
    pod: dict[str, Any] = spec.get("jobTemplate", {}).get("spec", spec)["template"]["spec"]
    return pod


def _hardened(manifest: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(manifest)
    pod = _pod_of(changed)
    pod["automountServiceAccountToken"] = False
    pod["securityContext"] = {**pod.get("securityContext", {}), **_POD}
    # A disk for what is written on the way: a model that is uploaded, a plot.
    pod["volumes"] = [*pod.get("volumes", []), {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    for container in pod["containers"]:
        container["securityContext"] = copy.deepcopy(_CONTAINER)
        container["volumeMounts"] = [*container.get("volumeMounts", []), dict(_TMP)]
    return changed


def namespace() -> list[dict[str, Any]]:
    """The namespace, which refuses any other pod, and who may speak to whom in it."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}},
        _policy(APP, CONTAINER_PORT, [POSTGRESQL_PORT, MLFLOW_PORT, STORE_PORT, HTTPS_PORT]),
        _policy(AUDIT_APP, AUDIT_PORT, [POSTGRESQL_PORT]),
    ]


def budget() -> dict[str, Any]:
    """One pod, which a drain of its node may move: to keep it there for ever would keep the node for ever."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": APP, "namespace": NAMESPACE, "labels": {"app": APP}},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": APP}}},
    }


def _policy(app: str, port: int, egress: Sequence[int]) -> dict[str, Any]:
    """Its own namespace and the monitoring's may call the app; it may call these ports, and DNS."""
    callers = [{"podSelector": {}}, {"namespaceSelector": _named(MONITORING_NAMESPACE)}]
    names = [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": app, "namespace": NAMESPACE, "labels": {"app": app}},
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": callers, "ports": [{"protocol": "TCP", "port": port}]}],
            "egress": [
                {"to": [{"namespaceSelector": _named("kube-system")}], "ports": names},
                {"ports": [{"protocol": "TCP", "port": each} for each in egress]},
            ],
        },
    }


def _named(name: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}
