"""No secret of any setting in what a command prints or records, whatever a library repeats in its errors."""

from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from gameplay.cli import rps
from gameplay.config import VARIABLES
from tests.command_lines import RPS, call

AWKWARD = "h/sh h#sh@1"
"""A password that must be encoded in an address, and that libraries show decoded, encoded and in parts."""
PLANTED = {
    "MLFLOW_TRACKING_URI": f"http://ada:uri-{quote(AWKWARD, safe='')}@127.0.0.1:1",
    "RPS_MODEL_STORE_URL": "s3://bucket",
    "MINIO_ENDPOINT": "http://key:endpoint-hush@127.0.0.1:1",
    "MINIO_ACCESS_KEY": "access-hush",
    "MINIO_SECRET_KEY": "secret-hush",
    "RPS_INTERNAL_TOKEN": "token-hush",
    "GRAFANA_DASHBOARD_URL": "https://ada:grafana-hush@grafana/d/rps",
    "GRAFANA_API_KEY": "api-hush",
    "RPS_WEBHOOK_URL": "https://ada:hook-hush@receiver.example/events",
    "RPS_WEBHOOK_SECRET": "whsec_hushhushhushhushhushhushhushhush",
    "RPS_MLFLOW_WEBHOOK_SECRET": "mlflow-hush",
}
SECRETS = ("hush", AWKWARD, quote(AWKWARD, safe=""), quote(AWKWARD), "h/sh", "h#sh", "h%2Fsh")

COMMANDS = (
    ("promotion", "cycle"),
    ("promotion", "swap"),
    ("promotion", "undo"),
    ("models", "sync"),
    ("models",),
    ("capture",),
    ("erase",),
    ("config",),
)


def test_every_setting_that_may_hold_a_secret_holds_one_here() -> None:
    addresses = {name for name in VARIABLES if name.endswith(("_URL", "_URI", "_ENDPOINT"))}
    secret = {name for name, one in VARIABLES.items() if one.metadata["secret"]}

    assert secret | addresses == PLANTED.keys() | {"RPS_DATABASE_URL"}


def test_no_command_prints_or_records_a_secret(data_dir: Path) -> None:
    said = ""
    for words in COMMANDS:
        more = ("--replay",) if words == ("capture",) else ()
        result = CliRunner().invoke(
            rps, [*call(words, RPS[words]), *more], env={**PLANTED, "RPS_DATA_DIR": str(data_dir)}
        )
        assert "Traceback" not in result.output, words
        said += result.output

    kept = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    assert "***" in said
    assert [secret for secret in SECRETS if secret in said] == []
    assert [(path, secret) for path, held in kept.items() for secret in SECRETS if secret.encode() in held] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RPS_DATABASE_URL", "postgresql+psycopg://rps:pass-hush@127.0.0.1:1/rps"),
        ("RPS_DATABASE_URL", "mysql://rps:pass-hush@db/rps"),
        ("RPS_DATABASE_URL", "rps:pass-hush@db"),
        ("RPS_DATABASE_URL", "postgresql://db/rps?password=pass-hush"),
        ("RPS_MODEL_STORE_URL", "ftp://me:store-hush@h/x"),
        ("RPS_MODEL_STORE_URL", "s3://me:store-hush@bucket"),
        ("MINIO_ENDPOINT", "ftp://me:end-hush@h"),
        ("MINIO_ENDPOINT", "http://me:end-hush@h\n"),
        ("MLFLOW_TRACKING_URI", "http://me:uri/hush@h"),
        ("RPS_PORT", "token-hush"),
    ],
)
def test_a_setting_that_is_refused_is_refused_without_its_secret(
    data_dir: Path, variable: str, value: str
) -> None:
    environment = {**dict.fromkeys(VARIABLES), **PLANTED, "RPS_DATA_DIR": str(data_dir), variable: value}
    for words in (("models", "sync"), ("promotion", "cycle"), ("config",)):
        result = CliRunner().invoke(rps, words, env=environment)

        assert "Traceback" not in result.output, (words, result.output)
        assert "hush" not in result.output, words
