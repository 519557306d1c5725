import json

import pytest
from click.testing import CliRunner, Result

from gameplay.cli import rps
from tests.mlflow_server import MlflowServer

URL = "http://127.0.0.1:9/internal/mlflow/webhook"
SECRET = "what-only-mlflow-knows"


def webhook(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(rps, ["models", "webhook", *words], env=environment)


def test_mlflow_s_server_is_told_once_where_to_send(mlflow_server: MlflowServer) -> None:
    environment = {"MLFLOW_TRACKING_URI": mlflow_server.uri, "RPS_MLFLOW_WEBHOOK_SECRET": SECRET}

    told = [webhook("--register", URL, "--json", **environment) for _ in range(2)]

    assert [one.exit_code for one in told] == [0, 0], told[0].output
    assert json.loads(told[1].stdout) == {"url": URL, "created": False}
    assert SECRET not in told[0].output


@pytest.mark.parametrize(
    ("url", "environment", "named"),
    [
        (URL, {"MLFLOW_TRACKING_URI": "http://mlflow.example"}, "RPS_MLFLOW_WEBHOOK_SECRET"),
        (URL, {"RPS_MLFLOW_WEBHOOK_SECRET": SECRET}, "MLFLOW_TRACKING_URI"),
        ("rps", {"RPS_MLFLOW_WEBHOOK_SECRET": SECRET, "MLFLOW_TRACKING_URI": "http://m.example"}, "--register"),
    ],
)
def test_what_cannot_send_is_said_in_words(url: str, environment: dict[str, str], named: str) -> None:
    refused = webhook("--register", url, **environment)

    assert refused.exit_code == 2
    assert named in refused.stderr
