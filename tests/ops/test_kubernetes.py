"""Every manifest by Kubernetes' own schema, and every pod by the rules of the level "restricted"."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gameplay.observability.provisioning.hardening import hardened

OPS = Path(__file__).parents[2] / "ops"
RELEASES = ("1.34", "1.37")
MANIFESTS = [
    pytest.param(manifest, id=f"{path.name}-{manifest['kind']}-{manifest['metadata']['name']}")
    for path in sorted(OPS.glob("k8s-*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text("utf-8"))
]
PODS = [one for one in MANIFESTS if "template" in one.values[0].get("spec", {})]  # type: ignore[union-attr]
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def breaches(pod: dict[str, Any]) -> list[str]:
    """What the level "restricted" forbids, by the page "Pod Security Standards" of Kubernetes."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    own = pod.get("securityContext", {})
    found += [f"volume {volume['name']}" for volume in pod.get("volumes", []) if not VOLUMES & volume.keys()]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        of = {**own, **container.get("securityContext", {})}
        rules = {
            "privileged": not of.get("privileged"),
            "runAsNonRoot": of.get("runAsNonRoot") is True and of.get("runAsUser") != 0,
            "allowPrivilegeEscalation": of.get("allowPrivilegeEscalation") is False,
            "capabilities": "ALL" in of.get("capabilities", {}).get("drop", [])
            and set(of["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"},
            "seccompProfile": of.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [f"{container['name']}: {rule}" for rule, kept in rules.items() if not kept]
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("manifest", MANIFESTS)
def test_kubernetes_knows_every_field(manifest: dict[str, Any], release: str) -> None:
    kubernetes_validate.validate(manifest, release, strict=True)


@pytest.mark.parametrize("manifest", PODS)
def test_every_pod_is_restricted_and_has_its_share(manifest: dict[str, Any]) -> None:
    pod = manifest["spec"]["template"]["spec"]

    assert breaches(pod) == []
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_a_pod_of_no_care_has_breaches() -> None:
    container = {"name": "app"}
    careless = {"hostNetwork": True, "containers": [container], "volumes": [{"name": "disk", "hostPath": {}}]}
    template = {"spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}}

    (made,) = hardened([template])

    assert breaches(careless)[:2] == ["hostNetwork", "volume disk"]
    assert len(breaches(careless)) == 6
    assert breaches(made["spec"]["template"]["spec"]) == ["app: runAsNonRoot"]
    assert template == {"spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}}


def test_every_pod_is_selected_by_a_policy_that_lets_its_port_in() -> None:
    manifests = [one.values[0] for one in MANIFESTS]
    policies = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"]  # type: ignore[index]

    for pod in (one.values[0]["spec"]["template"] for one in PODS):  # type: ignore[index]
        labels, (container, *_) = pod["metadata"]["labels"], pod["spec"]["containers"]
        (policy,) = (one for one in policies if one["podSelector"]["matchLabels"].items() <= labels.items())
        admitted = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert {port["containerPort"] for port in container["ports"]} <= admitted


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    (namespace, *_) = yaml.safe_load_all((OPS / "k8s-namespace.yaml").read_text("utf-8"))

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
