"""The fallback chain from end to end: an S3 API and MLflow, both real, stopped and started under a service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from gameplay.web.app import create_app
from ledger.vocabulary import ALIASES, FAMILIES
from tests.gameplay.web_clients import BASE_URL, ok, play, play_on, samples, service_behind, start, wait_until
from tests.mlflow_server import MlflowServer
from tests.s3_server import S3Gateway

TICKERS = ("rps_model_games_since_production_swap", "rps_model_promotion_cycles_since_swap")


@pytest.fixture(scope="module")
def folder(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(trained, tmp_path_factory.mktemp("outage") / "data")


@pytest.fixture(scope="module")
def mlflow(folder: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(folder)
    yield server
    server.stop()


@pytest.fixture
def settings(folder: Path, own_s3: S3Gateway, mlflow: MlflowServer) -> Settings:
    """An own place in a bucket with the twelve versions in it, and MLflow behind its server's address."""
    place = own_s3.new_place()
    store, local = own_s3.store(place), open_model_store(Settings(data_dir=folder).model_store_url)
    for family in FAMILIES:
        for version in range(1, 1 + len(ALIASES)):
            store.put_model(family, local.get_model(family, version))
    return own_s3.settings(folder, place, mlflow_tracking_uri=mlflow.uri)


def tickers(client: TestClient) -> dict[str, float]:
    return {name: value for name, value in samples(client).items() if name.startswith(TICKERS)}


def fallbacks(client: TestClient, reason: str) -> float:
    return sum(
        value
        for name, value in samples(client).items()
        if name.startswith("rps_model_fallback_total") and f'reason="{reason}"' in name
    )


def sources(client: TestClient) -> set[str | None]:
    shown = ok(client.get("/models"))
    return {alias["source"] for family in shown.values() for alias in family["aliases"].values()}


def degraded_games(client: TestClient) -> int:
    service = service_behind(client)
    events = (service.core.ledger.decode(entry) for page in service.core.ledger.pages() for entry in page)
    return sum(getattr(event, "fallback_affected", False) for event in events)


def recovered(client: TestClient) -> bool:
    return client.get("/readyz").status_code == 200


def test_games_go_on_without_store_and_registry_and_recover_without_a_restart(
    settings: Settings, own_s3: S3Gateway
) -> None:
    own_s3.stop()
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        wait_until(lambda: client.get("/metrics").status_code == 200)
        before = tickers(client)

        ended = play_on(client, start(client)["game_id"])

        assert ended["model_info"]["probability_source"] == "uniform"
        assert client.get("/readyz").status_code == 503
        assert fallbacks(client, "minio_miss") > 0
        wait_until(lambda: bool(service_behind(client).core.models.failure("xgboost", 1)))
        ended = play_on(client, start(client)["game_id"])
        assert fallbacks(client, "mlflow_miss") > 0
        assert degraded_games(client) == 2
        assert tickers(client) == before
        assert samples(client)['rps_games_total{difficulty="standard",policy="forrest"}'] == 2

        own_s3.start()
        wait_until(lambda: recovered(client))

        assert sources(client) == {"minio"}
        fallen_back = fallbacks(client, "minio_miss")
        ended = play_on(client, start(client)["game_id"])
        assert ended["model_info"]["probability_source"] == "model"
        assert fallbacks(client, "minio_miss") == fallen_back
        assert degraded_games(client) == 2
        assert sum(tickers(client).values()) == sum(before.values()) + 1


def test_versions_come_from_mlflow_while_the_store_is_down_and_games_outlast_both(
    settings: Settings, own_s3: S3Gateway, mlflow: MlflowServer
) -> None:
    own_s3.stop()
    with TestClient(create_app(settings), base_url=BASE_URL) as client:
        wait_until(lambda: client.get("/metrics").status_code == 200)
        mlflow.start()  # it was not there when the service began
        # The longer it took to come, the longer are the waits between two tries by now.
        wait_until(lambda: recovered(client))

        assert sources(client) == {"mlflow"}
        fallen_back = fallbacks(client, "minio_miss")
        game = start(client)["game_id"]
        play(client, game)
        mlflow.stop()
        assert play_on(client, game)["model_info"]["probability_source"] == "model"
        assert play_on(client, start(client)["game_id"])["model_info"]["probability_source"] == "model"
        assert fallbacks(client, "minio_miss") == fallen_back

        own_s3.start()
        answer = ok(client.post("/models/reload", params={"sync_minio": "true"}))
        assert (answer["success"], answer["minio_skipped"]) == (True, 12)
        assert len(answer["registry_errors"]) == len(FAMILIES)  # whose aliases in MLflow could not be looked at
