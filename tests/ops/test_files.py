"""What lies in ops/: equal to its generator, accepted by the programs it is for, and of one mind."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameplay.commands.promotion import promote
from gameplay.config import VARIABLES, read_settings
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API
from gameplay.observability.dashboard.variants import plugin_of
from gameplay.observability.folder import current_dashboard, differences, rendered
from gameplay.observability.provisioning.files import COMPACT, PRETTY
from gameplay.observability.provisioning.scraping import RULE_FILE, RULE_TEST_FILE
from gameplay.observability.site import (
    AUDIT_PORT,
    DASHBOARD_UID,
    DATASOURCE_UIDS,
    LEDGER_UID,
    PROMETHEUS_UID,
    SERVICE_URL,
)
from gameplay.telemetry import OPT_OUTS
from gameplay.web.app import CALLS
from projections.cli import COMMANDS, rps_audit
from projections.commands.watch import PORT
from projections.metrics.series import EXEMPLAR_LABEL
from tests.programs import require

OPS = Path(__file__).parents[2] / "ops"
CLUSTER = {f"cluster/{name}" for name in ("etcd.yml", "patroni.yml", "haproxy.cfg")}
BY_HAND = {
    "compose/cluster.env",
    "systemd/promotion-ledger.service",
    "deploy_clean_dashboard.sh",
    ".grafana_api_key",
    "litestream.yml",
    *CLUSTER,
}


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((OPS / path).read_text()))


def run(*command: str) -> str:
    done = subprocess.run(
        [require(command[0]), *command[1:]], capture_output=True, text=True, check=False, cwd=OPS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_is_as_its_generator_writes_it() -> None:
    assert differences(OPS, current_dashboard(OPS)) == []


def test_nothing_else_lies_there() -> None:
    found = {str(path.relative_to(OPS)) for path in OPS.rglob("*") if path.is_file()}

    assert found - BY_HAND == rendered(current_dashboard(OPS)).keys()


def test_the_same_dashboard_gives_the_same_bytes() -> None:
    assert rendered(generated_dashboard()) == rendered(json.loads(json.dumps(generated_dashboard())))


@pytest.mark.parametrize(("path", "options"), [(PRETTY, ["."]), (COMPACT, ["-c", "."])])
def test_jq_changes_nothing(path: str, options: list[str]) -> None:
    assert run("jq", *options, path) == (OPS / path).read_text()


def test_both_forms_hold_one_dashboard() -> None:
    assert json.loads((OPS / PRETTY).read_text()) == json.loads((OPS / COMPACT).read_text())


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", "prometheus.yml")
    assert "SUCCESS" in run("promtool", "check", "rules", RULE_FILE)
    assert RULE_TEST_FILE in rendered(generated_dashboard())


def test_every_data_source_has_the_uid_that_the_dashboard_names() -> None:
    variants = ("json-api", "infinity", "simpod")
    for path in ("provisioning/datasources/rps", *(f"variants/datasources.{variant}" for variant in variants)):
        (file,) = documents(f"grafana/{path}.yaml")
        assert [source["uid"] for source in file["datasources"]] == [PROMETHEUS_UID, LEDGER_UID]
        assert {source["access"] for source in file["datasources"]} == {"proxy"}
        assert not any(source["url"].endswith("/") for source in file["datasources"])


def test_an_exemplar_s_position_leads_to_its_event() -> None:
    for path in (
        "grafana/provisioning/datasources/rps",
        "grafana/variants/datasources.infinity",
        "compose/datasources",
    ):
        (file,) = documents(f"{path}.yaml")
        (link,) = file["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"]
        # As Grafana reads it: `$name` and `${name}` are taken from the environment, and `$$` is one dollar sign.
        address, _, value = link["url"].partition("/events/")
        assert (link["name"], value) == (EXEMPLAR_LABEL, "$${__value.raw}")
        assert address in (SERVICE_URL, "http://127.0.0.1:8080")


def test_a_new_grafana_is_provisioned_with_infinity_and_the_default_file_is_json_apis() -> None:
    (file,) = documents("grafana/provisioning/datasources/rps.yaml")
    default = json.loads((OPS / COMPACT).read_text())

    assert file == documents("grafana/variants/datasources.infinity.yaml")[0]
    assert file["datasources"][1]["type"] == INFINITY
    assert plugin_of(default) == JSON_API


def test_infinity_may_reach_the_service_and_nothing_else() -> None:
    (file,) = documents("grafana/variants/datasources.infinity.yaml")

    ledger = file["datasources"][1]
    assert ledger["url"] == SERVICE_URL
    assert ledger["jsonData"]["allowedHosts"] == [SERVICE_URL]


def test_the_alerts_name_known_data_sources_and_the_dashboard() -> None:
    (file,) = documents("grafana/provisioning/alerting/rps.yaml")

    for rule in file["groups"][0]["rules"]:
        assert {data["datasourceUid"] for data in rule["data"]} <= DATASOURCE_UIDS
        assert rule["annotations"].get("__dashboardUid__", DASHBOARD_UID) == DASHBOARD_UID


def test_the_docs_put_the_rule_group_where_it_belongs() -> None:
    commands = (OPS.parent / "docs" / "dashboards.md").read_text()
    group = json.loads((OPS / "snippets" / "auto-promotion-alert.json").read_text())

    (provider,) = documents("grafana/provisioning/dashboards/rps.yaml")[0]["providers"]
    folder = {"uid": group["folderUid"], "title": provider["folder"]}
    assert f"-d '{json.dumps(folder)}'" in commands
    assert f"/folder/{group['folderUid']}/rule-groups/{group['title']}" in commands
    assert f"cp ops/grafana-dashboard.infinity.json {provider['options']['path']}/" in commands


def test_the_deployment_sets_settings_that_exist() -> None:
    claim, deployment, _ = documents("k8s-deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    set_there = {variable["name"] for variable in container["env"]}
    assert set_there <= {*VARIABLES, *OPT_OUTS}
    assert {"METRICS_SINCE_DATE", "GRAFANA_DASHBOARD_URL", *OPT_OUTS} <= set_there
    # Otherwise the cluster adds RPS_APP_PORT and its like, which the service refuses as unknown settings.
    assert pod["enableServiceLinks"] is False
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert [
        container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    ] == [
        "/healthz",
        "/readyz",
        "/healthz",
    ]


def test_litestream_has_beside_the_service_all_that_its_configuration_asks_for() -> None:
    _, plain, *_ = documents("k8s-deployment.yaml")
    (replicated,) = documents("k8s-litestream.yaml")
    pod = replicated["spec"]["template"]["spec"]
    service, litestream = pod["containers"]
    asked = set(re.findall(r"\$\{(\w+)\}", (OPS / "litestream.yml").read_text("utf-8")))
    given = {one["name"]: one.get("value") for one in litestream["env"]}
    mounts = {one["name"]: one["mountPath"] for one in litestream["volumeMounts"]}

    # Where it takes the place of the plain one, nothing of the service is another.
    assert [service] == plain["spec"]["template"]["spec"]["containers"]
    assert {**replicated, "spec": None} == {**plain, "spec": None}
    assert given.keys() == asked
    (data_dir,) = (one["value"] for one in service["env"] if one["name"] == "RPS_DATA_DIR")
    assert given["LEDGER_FOLDER"] == mounts["data"] == data_dir
    assert litestream["args"][-1] == f"{mounts['litestream']}/litestream.yml"
    assert {one["name"] for one in pod["volumes"]} == mounts.keys()


def test_each_role_of_the_cluster_is_a_deployment_that_the_service_accepts() -> None:
    parts = documents("k8s-cluster.yaml")
    deployments = {one["metadata"]["name"]: one["spec"] for one in parts if one["kind"] == "Deployment"}
    assert deployments.keys() == {"rps-play", "rps-projector"}
    for spec in deployments.values():
        pod = spec["template"]["spec"]
        (container,) = pod["containers"]
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        settings = {name: value for name, value in environment.items() if name in VARIABLES}
        assert read_settings(settings).role == spec["selector"]["matchLabels"]["role"]
        assert environment.keys() - settings.keys() == OPT_OUTS.keys()
        assert {"METRICS_SINCE_DATE", "GRAFANA_DASHBOARD_URL"} <= settings.keys()
        assert pod["enableServiceLinks"] is False
        assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
        assert ("RPS_SEAL_KEY" in settings) == (settings["RPS_ROLE"] == "projector")


def test_the_ingress_leads_each_call_to_the_processes_that_answer_it() -> None:
    parts = documents("k8s-cluster.yaml")
    services = {
        one["metadata"]["name"]: one["spec"]["selector"]["role"] for one in parts if one["kind"] == "Service"
    }
    (ingress,) = [one for one in parts if one["kind"] == "Ingress"]
    (rule,) = ingress["spec"]["rules"]
    prefixes: dict[str, str] = {
        one["path"]: services[one["backend"]["service"]["name"]] for one in rule["http"]["paths"]
    }

    def role_of(path: str) -> str:
        fitting = [one for one in prefixes if path == one or path.startswith(one.rstrip("/") + "/")]
        return prefixes[max(fitting, key=len)]

    for call in CALLS:
        if call.part is not None:
            assert role_of(call.path) == {"games": "play", "views": "projector"}[call.part], call.path
    assert {role_of(call.path) for call in CALLS} == {"play", "projector"}


def test_the_services_of_the_cluster_lead_to_the_pods_of_a_role() -> None:
    parts = documents("k8s-cluster.yaml")
    pods = {
        one["spec"]["selector"]["matchLabels"]["role"]: one["spec"] for one in parts if one["kind"] == "Deployment"
    }
    services = {one["metadata"]["name"]: one["spec"] for one in parts if one["kind"] == "Service"}
    assert {name: one["selector"]["role"] for name, one in services.items()} == {
        "rps-app": "projector",  # where Grafana looks, and where the ledger's series are scraped
        "rps-play": "play",
    }
    for service in services.values():
        assert service["selector"] == pods[service["selector"]["role"]]["template"]["metadata"]["labels"]
    for one in parts:
        if one["kind"] == "PodDisruptionBudget":
            selected = one["spec"]["selector"]["matchLabels"]
            assert selected == pods[selected["role"]]["selector"]["matchLabels"]


def test_the_service_the_pods_and_the_scrape_agree() -> None:
    _, deployment, _ = documents("k8s-deployment.yaml")
    (service,) = documents("k8s-service.yaml")
    alloy = (OPS / "alloy-config.alloy").read_text()
    template = deployment["spec"]["template"]

    assert service["spec"]["selector"] == template["metadata"]["labels"] == service["metadata"]["labels"]
    (port,) = template["spec"]["containers"][0]["ports"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    address = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert f'"{address}:{service["spec"]["ports"][0]["port"]}"' in alloy
    assert f'label = "app={service["metadata"]["labels"]["app"]}"' in alloy
    assert f"http://{address}" == SERVICE_URL


def test_alloy_reads_each_annotation_of_the_pods() -> None:
    alloy = (OPS / "alloy-config.alloy").read_text()
    _, deployment, _ = documents("k8s-deployment.yaml")

    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert set(re.findall(r"__meta_kubernetes_pod_annotation_(\w+)", alloy)) == {
        re.sub(r"[./]", "_", name) for name in annotations
    }


@pytest.mark.parametrize(
    ("address", "port", "scraped"),
    [
        ("10.0.0.7:9999", "8080", "10.0.0.7:8080"),
        ("10.0.0.7", "8080", "10.0.0.7:8080"),
        ("[fd00::7]:80", "8080", "[fd00::7]:8080"),
        ("10.0.0.7:9999", "", "10.0.0.7:9999"),
    ],
)
def test_the_port_that_a_pod_names_is_the_one_that_is_scraped(address: str, port: str, scraped: str) -> None:
    alloy = (OPS / "alloy-config.alloy").read_text()
    (rule,) = re.findall(r'_port"\]\s+regex\s+= "(.+)"\s+replacement\s+= "(.+)"', alloy)
    pattern, replacement = (json.loads(f'"{text}"') for text in rule)  # Alloy escapes as JSON does

    # As relabelling does it: the labels joined by a semicolon, the pattern anchored, no change without a match.
    found = re.fullmatch(pattern, f"{address};{port}")

    assert (found.expand(replacement.replace("$", "\\")) if found else address) == scraped


def test_alloy_scrapes_as_prometheus_does() -> None:
    alloy = (OPS / "alloy-config.alloy").read_text()
    (prometheus,) = documents("prometheus.yml")

    scraped = re.findall(r'job_name\s+= "([\w-]+)"(?:\s+params\s+= \{ scope = \["(\w+)"\] \})?', alloy)
    jobs = prometheus["scrape_configs"]
    assert scraped == [(job["job_name"], job.get("params", {}).get("scope", [""])[0]) for job in jobs]
    assert 'regex         = "rps_.*_created"' in alloy


def test_the_watch_runs_where_it_is_scraped_and_on_the_ledger_of_the_service() -> None:
    deployment, service = documents("k8s-audit.yaml")
    claim, served, _ = documents("k8s-deployment.yaml")
    pod, beside = (one["spec"]["template"]["spec"] for one in (deployment, served))
    (container,) = pod["containers"]
    alloy = (OPS / "alloy-config.alloy").read_text()
    (prometheus,) = documents("prometheus.yml")

    assert AUDIT_PORT == PORT == container["ports"][0]["containerPort"] == service["spec"]["ports"][0]["port"]
    address = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local:{PORT}"
    assert f'"{address}"' in alloy
    assert prometheus["scrape_configs"][-1]["static_configs"] == [{"targets": [f"127.0.0.1:{PORT}"]}]
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["securityContext"] == beside["securityContext"]
    (affinity,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert affinity["labelSelector"]["matchLabels"] == served["spec"]["template"]["metadata"]["labels"]
    with rps_audit.make_context("rps-audit", list(container["args"][1:]), ignore_unknown_options=True) as context:
        assert context.obj == "sqlite:////data/ledger.db"
    assert container["args"][3] in COMMANDS


def test_the_cron_job_asks_the_service_for_a_cycle_under_its_own_name() -> None:
    (job,) = documents("k8s-promotion-cronjob.yaml")
    (service,) = documents("k8s-service.yaml")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    with promote.make_context("promote", list(container["args"][2:])) as context:
        assert context.params["key"] == "$(JOB_NAME)"
        assert context.params["url"].startswith(f"http://{service['metadata']['name']}.")
        assert context.params["url"].endswith(f":{service['spec']['ports'][0]['port']}")
    assert [one["name"] for one in container["env"]] == ["JOB_NAME", "RPS_INTERNAL_TOKEN"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_alloys_blocks_and_references_close() -> None:
    alloy = re.sub(r"//.*", "", (OPS / "alloy-config.alloy").read_text())

    for opening, closing in ("{}", "[]", "()"):
        assert alloy.count(opening) == alloy.count(closing)
    blocks = {f"{kind}.{name}" for kind, name in re.findall(r'^([a-z_.]+) "(\w+)" \{$', alloy, re.MULTILINE)}
    named = re.findall(r"\b((?:discovery|prometheus)\.\w+\.\w+)\.(?:targets|output|receiver)\b", alloy)
    assert named
    assert set(named) <= blocks
