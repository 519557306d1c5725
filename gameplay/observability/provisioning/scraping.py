"""How `/metrics` is scraped: what each process counts for itself from every pod, the ledger's series once.

The ledger's series are the same on every replica, so they are scraped from one address under a fixed
instance: two replicas would count every game twice, and a new pod would look like a counter reset.
"""

from typing import Any

from gameplay.observability.site import (
    APP,
    AUDIT_HOST,
    AUDIT_JOB,
    AUDIT_PORT,
    CONTAINER_PORT,
    NAMESPACE,
    PROCESS_JOB,
    SCRAPE_SECONDS,
    SCRAPE_TIMEOUT_SECONDS,
    SERVICE_HOST,
    SERVICE_PORT,
)
from projections.metrics.series import LEDGER_INSTANCE, LEDGER_JOB

RULE_FILE = "prometheus-rules.yml"
RULE_TEST_FILE = "prometheus-rules.test.yml"
LOCAL_TARGET = f"127.0.0.1:{CONTAINER_PORT}"
LOCAL_WATCH = f"127.0.0.1:{AUDIT_PORT}"


def prometheus_file(target: str = LOCAL_TARGET, watch: str = LOCAL_WATCH) -> dict[str, Any]:
    """A configuration for one service and one `rps-audit watch`, as they run on a developer's machine."""
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_TIMEOUT_SECONDS}s"},
        "rule_files": [RULE_FILE],
        "scrape_configs": [
            {
                "job_name": PROCESS_JOB,
                "params": {"scope": ["process"]},
                "static_configs": [{"targets": [target]}],
            },
            {
                "job_name": LEDGER_JOB,
                "params": {"scope": ["ledger"]},
                "static_configs": [{"targets": [target], "labels": {"instance": LEDGER_INSTANCE}}],
            },
            {"job_name": AUDIT_JOB, "static_configs": [{"targets": [watch]}]},
        ],
    }


_REMOTE_WRITE = """\
prometheus.remote_write "metrics" {
  endpoint {
    url = sys.env("REMOTE_WRITE_URL")

    basic_auth {
      username = sys.env("REMOTE_WRITE_USERNAME")
      password = sys.env("REMOTE_WRITE_PASSWORD")
    }

    write_relabel_config {
      source_labels = ["__name__"]
      regex         = "rps_.*_created"
      action        = "drop"
    }
  }
}
"""


def alloy_file() -> str:
    """A Grafana Alloy configuration; where to write to, and as whom, comes from its environment."""
    return f"{_discovery()}\n{scrapes()}\n{_REMOTE_WRITE}"


def _discovery() -> str:
    """The targets: every pod behind the Service, under the port and path that its annotations name."""
    return f"""\
// Made by `rps dashboard`. What each process counts for itself, from every pod behind the Service.
discovery.kubernetes "rps" {{
  role = "endpoints"

  namespaces {{
    names = ["{NAMESPACE}"]
  }}

  selectors {{
    role  = "endpoints"
    label = "app={APP}"
  }}
}}

discovery.relabel "rps" {{
  targets = discovery.kubernetes.rps.targets

  rule {{
    source_labels = ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"]
    regex         = "true"
    action        = "keep"
  }}

  rule {{
    source_labels = ["__meta_kubernetes_pod_annotation_prometheus_io_path"]
    regex         = "(.+)"
    target_label  = "__metrics_path__"
  }}

  // A pod's ports are a target each; under the port that it names they are one.
  rule {{
    source_labels = ["__address__", "__meta_kubernetes_pod_annotation_prometheus_io_port"]
    regex         = "(.+?)(?::\\\\d+)?;(\\\\d+)"
    replacement   = "$1:$2"
    target_label  = "__address__"
  }}

  rule {{
    source_labels = ["__meta_kubernetes_pod_name"]
    target_label  = "instance"
  }}
}}
"""


def scrapes(
    processes: str = "discovery.relabel.rps.output",
    ledger: str = f"{SERVICE_HOST}:{SERVICE_PORT}",
    watch: str = f"{AUDIT_HOST}:{AUDIT_PORT}",
) -> str:
    """The three jobs: each process, the ledger once, and the watch."""
    return f"""\
prometheus.scrape "rps_process" {{
  targets         = {processes}
  job_name        = "{PROCESS_JOB}"
  params          = {{ scope = ["process"] }}
  scrape_interval = "{SCRAPE_SECONDS}s"
  scrape_timeout  = "{SCRAPE_TIMEOUT_SECONDS}s"
  forward_to      = [prometheus.remote_write.metrics.receiver]
}}

// What the ledger says, once, under an instance that outlives the pods.
prometheus.scrape "rps_ledger" {{
  targets = [{{
    __address__ = "{ledger}",
    instance    = "{LEDGER_INSTANCE}",
  }}]
  job_name        = "{LEDGER_JOB}"
  params          = {{ scope = ["ledger"] }}
  scrape_interval = "{SCRAPE_SECONDS}s"
  scrape_timeout  = "{SCRAPE_TIMEOUT_SECONDS}s"
  forward_to      = [prometheus.remote_write.metrics.receiver]
}}

// What `rps-audit watch` has verified, and what it has found.
prometheus.scrape "rps_audit" {{
  targets         = [{{ __address__ = "{watch}" }}]
  job_name        = "{AUDIT_JOB}"
  scrape_interval = "{SCRAPE_SECONDS}s"
  scrape_timeout  = "{SCRAPE_TIMEOUT_SECONDS}s"
  forward_to      = [prometheus.remote_write.metrics.receiver]
}}
"""
