import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.registry import MlflowRegistry
from gameplay.serving import registry_hints
from ledger.events import AliasesAssigned
from ledger.streams import promotion_stream
from tests.builders import aliases_planned
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.graphs import trained
from tests.gameplay.serving.receivers import receiving
from tests.gameplay.web.test_openapi import check_answer
from tests.gameplay.web_clients import ok, service_behind, state, wait_until
from tests.mlflow_server import MlflowServer

PATH = "/internal/mlflow/webhook"
SECRET = "what-only-mlflow-knows"
REST_SECONDS = 0.1


@pytest.fixture
def announced(settings: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A service that takes announcements. It has a token, which none of them has."""
    monkeypatch.setattr(registry_hints.RegistryHints.__init__, "__kwdefaults__", {"rest_seconds": REST_SECONDS})
    with serve(replace(settings, mlflow_webhook_secret=SECRET, internal_token="a-token")) as client:
        yield client


def body_of(name: str = "rps_bot_xgboost", **more: object) -> bytes:
    alias = {"name": name, "alias": "Production", "version": "2"}
    found = {"entity": "model_version_alias", "action": "created", "timestamp": "now", "data": alias, **more}
    return json.dumps(found).encode()


def headers_of(body: bytes, delivery: str = "d1", at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.digest(secret.encode(), f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def send(client: TestClient, body: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    return client.post(PATH, content=body, headers=headers or headers_of(body))


def adopted(client: TestClient) -> list[AliasesAssigned]:
    """What was taken over from the registry."""
    ledger = service_behind(client).core.ledger
    events = [ledger.decode(entry) for entry in ledger.read_stream(promotion_stream("xgboost"))]
    return [one for one in events if isinstance(one, AliasesAssigned) and one.cause == "registry"]


def test_an_exchange_is_adopted_as_one_when_it_has_come_to_rest(
    announced: TestClient, registry: FaultyRegistry
) -> None:
    body = body_of()
    registry.named["xgboost"]["Production"] = 2
    assert ok(send(announced, body, headers_of(body, "first"))) == {"accepted": True, "model_type": "xgboost"}
    registry.named["xgboost"]["B"] = 1
    ok(send(announced, body, headers_of(body, "second")))

    wait_until(lambda: bool(adopted(announced)))
    (one,) = adopted(announced)
    assert one.swapped


def test_nothing_is_adopted_while_a_plan_is_open(announced: TestClient, registry: FaultyRegistry) -> None:
    core = service_behind(announced).core
    hints = service_behind(announced).hints
    registry.down = True
    state_ = core.promotion.state("xgboost")
    core.promotion.append(state_, [aliases_planned(model_type="xgboost", cycle=None, cause="manual")])
    ok(send(announced, body_of()))

    wait_until(lambda: "xgboost" not in hints._hinted_at)
    assert adopted(announced) == []


def test_a_delivery_that_is_sent_again_counts_once(announced: TestClient) -> None:
    body = body_of()
    headers = headers_of(body)

    assert [ok(send(announced, body, headers))["accepted"] for _ in range(2)] == [True, False]


def test_a_delivery_that_is_sent_again_after_a_restart_moves_nothing(
    settings: Settings, serve: Serve, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new process does not know the id any more. What it does about it is look, and all is as it should be."""
    monkeypatch.setattr(registry_hints.RegistryHints.__init__, "__kwdefaults__", {"rest_seconds": REST_SECONDS})
    announced = replace(settings, mlflow_webhook_secret=SECRET)
    body = body_of()
    headers = headers_of(body)
    with serve(announced) as client:
        registry.named["xgboost"] |= {"Production": 2, "B": 1}
        ok(send(client, body, headers))
        wait_until(lambda: bool(adopted(client)))
        before = service_behind(client).core.ledger.head()

    with serve(announced) as client:
        hints = service_behind(client).hints
        assert ok(send(client, body, headers))["accepted"]
        wait_until(lambda: "xgboost" not in hints._hinted_at)
        threads = [one for one in threading.enumerate() if one.name == "registry-hint-xgboost"]
        for one in threads:
            one.join()

        assert service_behind(client).core.ledger.head() == before
        assert not ok(send(client, body, headers))["accepted"]


@pytest.mark.parametrize(
    "body", [body_of("another_model"), body_of(entity="registered_model"), body_of(data={"name": 7})]
)
def test_what_is_not_ours_is_taken_and_left(announced: TestClient, body: bytes) -> None:
    answered = send(announced, body)

    assert ok(answered) == {"accepted": False, "model_type": None}
    check_answer("POST", PATH, answered)


BODY = body_of()


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "X-MLflow-Delivery-Id"),
        (headers_of(BODY + b" "), "Signature"),
        (headers_of(BODY, secret="another"), "Signature"),
        ({**headers_of(BODY), "X-MLflow-Delivery-Id": "d2"}, "Signature"),
        ({**headers_of(BODY), "X-MLflow-Timestamp": "1"}, "Signature"),
        (headers_of(BODY, at=time.time() - 4_000), "minutes"),
        (headers_of(BODY, at=time.time() + 86_400), "minutes"),
        ({"Authorization": "Bearer a-token"}, "X-MLflow-Delivery-Id"),
    ],
)
def test_what_mlflow_has_not_signed_a_moment_ago_is_refused_in_words(
    announced: TestClient, headers: dict[str, str], named: str
) -> None:
    before = state(announced)
    refused = announced.post(PATH, content=BODY, headers=headers)

    assert refused.status_code == 401
    assert named in refused.json()["detail"]
    assert state(announced) == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entity": 1, "action": "created", "data": {}}'])
def test_a_signed_body_that_is_no_announcement_is_refused(announced: TestClient, body: bytes) -> None:
    assert send(announced, body).status_code in (400, 422)


def test_without_a_secret_there_is_no_such_call(served: TestClient) -> None:
    refused = send(served, BODY)

    assert refused.status_code == 404
    assert "RPS_MLFLOW_WEBHOOK_SECRET" in refused.json()["detail"]


def test_what_mlflow_s_server_sends_is_taken(mlflow_server: MlflowServer, announced: TestClient) -> None:
    registry: Any = MlflowRegistry(mlflow_server.uri)
    version = registry.register("xgboost", trained((0.2, 0.5, 0.3), family="xgboost")).version
    with receiving() as receiver:
        registry.send_webhooks("http://127.0.0.1:9/elsewhere", SECRET)
        assert not registry.send_webhooks(receiver.url, SECRET), "the same one, at another address"
        registry.assign("xgboost", "Production", version)
        wait_until(lambda: bool(receiver.got))
        got = receiver.got[0]

    headers = {name: text for name, text in got.headers.items() if name.startswith("x-mlflow-")}
    assert ok(send(announced, got.body, headers)) == {"accepted": True, "model_type": "xgboost"}
    assert not ok(send(announced, got.body, headers))["accepted"]
