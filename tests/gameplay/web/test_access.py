from collections.abc import Callable
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.access import is_loopback
from gameplay.web.app import CALLS
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import HISTORY_PATH, REPORT_PATH, state

TOKEN = "s3cret-token"
WRITES: dict[str, dict[str, object]] = {
    REPORT_PATH: {"model_type": "xgboost", "decision": "retain_production"},
    "/internal/training/complete": {"model_type": "xgboost", "status": "success"},
    "/internal/promotion/cycle": {"model_type": "xgboost", "dry_run": True},
    "/internal/promotion/pin": {"model_type": "xgboost", "alias": "B", "reason": "a test"},
    "/internal/promotion/swap": {"model_type": "xgboost", "reason": "a test", "dry_run": True, "version": 3},
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


FOREIGN: dict[str, list[tuple[str, str]]] = {
    "another site's page": [("Origin", "https://evil.example")],
    "a page on another port": [("Origin", "http://127.0.0.1:3000")],
    "a page of nowhere": [("Origin", "null")],
    "an empty origin": [("Origin", "")],
    "two origins": [("Origin", "http://127.0.0.1:8080"), ("Origin", "https://evil.example")],
    "a name that begins like ours": [("Origin", "http://127.0.0.1:8080.evil.example")],
    "a browser that names the site alone": [("Sec-Fetch-Site", "cross-site")],
    "shouted": [("Sec-Fetch-Site", "Cross-Site")],
    "a name that points here": [("Host", "evil.example:8080"), ("Origin", "http://evil.example:8080")],
    "a host that begins like ours": [("Host", "127.0.0.1.evil.example")],
    "a host behind a user": [("Host", "127.0.0.1@evil.example")],
    "an empty host": [("Host", "")],
    "half an address": [("Host", "[::1")],
}
OWN: dict[str, list[tuple[str, str]]] = {
    "our own page": [("Origin", "http://127.0.0.1:8080"), ("Sec-Fetch-Site", "same-origin")],
    "a page by name": [("Host", "localhost:8080"), ("Origin", "http://localhost:8080")],
    "an address bar": [("Sec-Fetch-Site", "none")],
    "IPv6": [("Host", "[::1]:8080"), ("Origin", "http://[::1]:8080")],
    "a proxy that adds TLS": [("Host", "localhost"), ("Origin", "https://localhost")],
    "the default port": [("Host", "localhost:80"), ("Origin", "http://localhost")],
    "an upper case": [("Host", "LOCALHOST:8080"), ("Origin", "http://localhost:8080")],
}
AS_FORM = {"Content-Type": "text/plain"}
AS_JSON = {"Content-Type": "application/json"}
ORDERS = [call.path for call in CALLS if call.ordered]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_a_foreign_page_cannot_write(shared: TestClient, headers: list[tuple[str, str]]) -> None:
    before = state(shared)
    for path in WRITES:
        body = msgspec.json.encode(WRITES[path])
        refused = shared.post(path, content=body, headers=[*AS_FORM.items(), *headers])
        assert refused.status_code == 403, path
        assert "RPS_" in refused.json()["detail"]
    assert state(shared) == before


@pytest.mark.parametrize("headers", OWN.values(), ids=list(OWN))
def test_our_own_page_and_a_command_line_write(shared: TestClient, headers: list[tuple[str, str]]) -> None:
    for path in WRITES:
        body, media = msgspec.json.encode(WRITES[path]), AS_JSON if path in ORDERS else AS_FORM
        assert shared.post(path, content=body, headers=[*media.items(), *headers]).status_code == 200, path


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_a_foreign_page_plays_and_reads(shared: TestClient, headers: list[tuple[str, str]]) -> None:
    body = msgspec.json.encode({"policy": "forrest"})
    query = msgspec.json.encode({"targets": [{"target": "promotion_history"}]})

    assert shared.post("/start_game", content=body, headers=headers).status_code == 200
    assert shared.post("/internal/grafana/query", content=query, headers=headers).status_code == 200
    assert shared.get(HISTORY_PATH, headers=headers).status_code == 200


def test_a_named_host_may_write(serve: Serve, changed: Callable[..., Settings]) -> None:
    with serve(changed(allowed_hosts=frozenset({"rps.example"}))) as client:
        for host, status in (("rps.example", 200), ("RPS.example:80", 200), ("other.example", 403)):
            assert client.post("/models/reload", headers={"Host": host}).status_code == status


def test_a_token_is_enough_for_any_page(serve: Serve, changed: Callable[..., Settings]) -> None:
    with serve(changed(internal_token=TOKEN)) as client:
        foreign = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://tools.example", "Host": "rps.example"}
        assert client.post("/models/reload", headers=foreign).status_code == 200


def test_every_call_that_changes_something_outside_the_game_is_guarded() -> None:
    reads = {"metrics", "metric-payload-options", "query", "variable"}

    for call in CALLS:
        changes = call.method == "POST" and call.path.rsplit("/", 1)[-1] not in reads and not call.signed
        assert call.guarded == (changes and call.path.startswith(("/internal/", "/models/"))), call.path


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


ORDER = {"model_type": "xgboost", "alias": "B", "reason": "a test"}
HERE = "http://127.0.0.1:8080"


def test_what_an_operator_orders_is_guarded_and_takes_no_forms() -> None:
    assert {f"/internal/promotion/{name}" for name in ("pin", "unpin", "swap", "undo", "cancel")} <= set(ORDERS)
    assert all(call.guarded for call in CALLS if call.ordered)


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("path", ORDERS)
def test_an_order_is_no_form(serve: Serve, changed: Callable[..., Settings], path: str, token: str | None) -> None:
    """What another site's form can send, with a body that would do."""
    body = msgspec.json.encode(ORDER)
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    with serve(changed(internal_token=token)) as client:
        before = state(client)
        for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
            headers = {**bearer, **({"Content-Type": media} if media else {})}
            refused = client.post(path, content=body, headers=headers)
            assert refused.status_code == 415
            assert "application/json" in refused.json()["detail"]
        assert state(client) == before


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": HERE}, 200),
        ({"Origin": HERE, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://127.0.0.1:8081"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_an_order_comes_from_an_own_page_or_from_none(
    serve: Serve, changed: Callable[..., Settings], token: str | None, headers: dict[str, str], status: int
) -> None:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    with serve(changed(internal_token=token)) as client:
        before = state(client)
        given = client.post("/internal/promotion/pin", json=ORDER, headers={**bearer, **headers})

        assert given.status_code == status
        assert (state(client) == before) == (status != 200)


def test_a_page_behind_a_proxy_may_be_of_an_allowed_host(serve: Serve, changed: Callable[..., Settings]) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://rps.example"}
    with serve(changed(internal_token=TOKEN, allowed_hosts=frozenset({"rps.example"}))) as client:
        assert client.post("/internal/promotion/pin", json=ORDER, headers=headers).status_code == 200
