"""The one pod of a ledger in a file, with Litestream beside the service: the object store is a second behind."""

from typing import Any

from gameplay.observability.provisioning.cluster import STORE_ENDPOINT
from gameplay.observability.provisioning.kubernetes import DATA_FOLDER, SECRET, deployment

CONFIG_MAP = "rps-litestream"
"""Holds `ops/litestream.yml`, under that name."""
CONFIG_FOLDER = "/etc/litestream"
BUCKET = "rps-replica"


def replicated() -> list[dict[str, Any]]:
    """The StatefulSet, in the place of the one without: the volume is for one node, so that both share a pod."""
    *_, made = deployment()
    pod = made["spec"]["template"]["spec"]
    pod["containers"].append(_litestream())
    pod["volumes"].append({"name": "litestream", "configMap": {"name": CONFIG_MAP}})
    return [made]


def _litestream() -> dict[str, Any]:
    settings = {"LEDGER_FOLDER": DATA_FOLDER, "LITESTREAM_BUCKET": BUCKET, "MINIO_ENDPOINT": STORE_ENDPOINT}
    # Only the store's keys: what else the service keeps secret is none of its business.
    keys = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": name}}}
        for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")
    ]
    return {
        "name": "litestream",
        "image": "litestream/litestream:0.5",
        "args": ["replicate", "-config", f"{CONFIG_FOLDER}/litestream.yml"],
        "env": [*({"name": name, "value": value} for name, value in settings.items()), *keys],
        "volumeMounts": [
            {"name": "data", "mountPath": DATA_FOLDER},
            {"name": "litestream", "mountPath": CONFIG_FOLDER, "readOnly": True},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }
