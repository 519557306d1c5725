"""No secret of any setting in any answer, whatever a library repeats in its errors."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.errors import RegistryError
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import REPORT_PATH, serving

SECRETS = ("hunter-uri", "hunter-store", "hunter-access", "hunter-token", "hunter-board", "hunter-api")
TALKATIVE = f"cannot reach http://me:{SECRETS[0]}@mlflow.example: {' '.join(SECRETS)}"


@pytest.fixture
def registry(registry: FaultyRegistry) -> FaultyRegistry:
    """A registry whose calls fail and say all that they know."""

    def fail() -> None:
        raise RegistryError(TALKATIVE)

    for number in range(1, 100):
        registry.at_call(number, fail)
    return registry


@pytest.fixture
def client(data_dir: Path, registry: FaultyRegistry) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=data_dir,
        promotion_schedule=None,
        mlflow_tracking_uri=f"http://me:{SECRETS[0]}@mlflow.example",
        minio_secret_key=SECRETS[1],
        minio_access_key=SECRETS[2],
        internal_token=SECRETS[3],
        grafana_dashboard_url=f"https://me:{SECRETS[4]}@grafana.example/d/rps?kiosk",
        grafana_api_key=SECRETS[5],
    )
    with serving(settings, registry) as client:
        client.headers["Authorization"] = f"Bearer {SECRETS[3]}"
        yield client


def test_no_answer_holds_a_secret(client: TestClient) -> None:
    moved = [{"alias": "shadow2", "version": 6, "previous_version": 4}]
    report = {"model_type": "xgboost", "decision": "alias_reorder", "alias_assignments": moved}
    training = {"model_type": "xgboost", "status": "success", "model_version": 5}

    answers: list[httpx2.Response] = [
        client.post("/models/reload", params={"sync_minio": "true"}),
        client.post("/models/reload/xgboost/B"),
        client.post(REPORT_PATH, json=report),
        client.post("/internal/training/complete", json=training),
        *(client.get(path) for path in ("/", "/healthz", "/readyz", "/models", "/metrics")),
    ]

    said = " ".join(f"{one.headers} {one.text}" for one in answers)
    assert [one.status_code for one in answers[:4]] == [200, 200, 503, 503]
    assert said.count("cannot reach http://***@mlflow.example") >= 4
    assert [secret for secret in SECRETS if secret in said] == []
    assert answers[4].json()["grafana_dashboard_url"] == "https://***@grafana.example/d/rps?kiosk"
