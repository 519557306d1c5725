from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.access import is_loopback
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import HISTORY_PATH, REPORT_PATH, state

TOKEN = "s3cret-token"
WRITES: dict[str, dict[str, object]] = {
    REPORT_PATH: {"model_type": "xgboost", "decision": "retain_production"},
    "/internal/training/complete": {"model_type": "xgboost", "status": "success"},
    "/models/reload": {},
    "/models/reload/xgboost/B": {},
}
OPEN = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/models",
    "/policies",
    HISTORY_PATH,
    "/internal/promotion/event_totals",
)


def write(client: TestClient, path: str, token: str | None = None, scheme: str = "Bearer") -> httpx2.Response:
    headers = {} if token is None else {b"Authorization": f"{scheme} {token}".encode()}
    return client.post(path, json=WRITES[path], headers=headers)


@pytest.fixture
def changed(data_dir: Path) -> Callable[..., Settings]:
    return lambda **values: Settings(data_dir=data_dir, promotion_schedule=None, **values)


@pytest.mark.parametrize("path", WRITES)
def test_a_loopback_bind_without_a_token_is_open(served: TestClient, path: str) -> None:
    assert write(served, path).status_code == 200


def test_another_bind_without_a_token_refuses_every_write(serve: Serve, changed: Callable[..., Settings]) -> None:
    with serve(changed(host="0.0.0.0")) as client:
        before = state(client)
        for path in WRITES:
            for token in (None, "", "guess"):
                refused = write(client, path, token)
                assert refused.status_code == 403
                assert "RPS_INTERNAL_TOKEN" in refused.json()["detail"]
        assert state(client) == before
        assert [client.get(path).status_code for path in OPEN] == [200] * len(OPEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_opens_and_nothing_else_does(serve: Serve, changed: Callable[..., Settings], host: str) -> None:
    with serve(changed(host=host, internal_token=TOKEN)) as client:
        before = state(client)
        for path in WRITES:
            for token, scheme in ((None, ""), ("wrong", "Bearer"), (TOKEN, "Basic"), ("", "Bearer"), (TOKEN, "")):
                refused = write(client, path, token, scheme)
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in refused.text
        assert state(client) == before
        for path in WRITES:
            assert write(client, path, TOKEN).status_code == 200
            assert write(client, path, TOKEN, "bearer").status_code == 200
        assert [client.get(path).status_code for path in OPEN] == [200] * len(OPEN)


def test_a_token_may_be_any_text(serve: Serve, changed: Callable[..., Settings]) -> None:
    with serve(changed(internal_token="schlüssel")) as client:
        assert write(client, REPORT_PATH, "schlüssel").status_code == 200
        assert write(client, REPORT_PATH, "schlussel").status_code == 401


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
