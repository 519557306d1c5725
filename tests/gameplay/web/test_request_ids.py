import logging
from pathlib import Path

import pytest
from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.observability.request_ids import RequestIds as LogFilter
from gameplay.observability.request_ids import Trace, trace
from gameplay.web.app import create_app
from gameplay.web.front import Front
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import BASE_URL, service_behind


@pytest.mark.parametrize("given", ["7", "a-b.c_d", "!", "x" * 128, '{"a":1}'])
def test_a_plain_id_is_taken_over(shared: TestClient, given: str) -> None:
    response = shared.get("/nowhere", headers={"X-Request-ID": given})

    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"two words", b"a\tb", b"caf\xe9", b"\xff", b"\x7f"])
def test_another_id_is_replaced(shared: TestClient, given: bytes) -> None:
    response = shared.get("/healthz", headers={b"X-Request-ID": given})

    assert response.headers["x-request-id"].encode() != given
    assert len(response.headers["x-request-id"]) == 36


def test_two_ids_are_none(shared: TestClient) -> None:
    response = shared.get("/healthz", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])

    assert response.headers["x-request-id"] not in ("a", "b")


def test_every_answer_has_an_id_of_its_own(shared: TestClient) -> None:
    answers = [
        shared.get("/healthz"),
        shared.get("/nowhere"),
        shared.post("/play", content=b"{"),
        shared.get("/start_game"),
    ]

    assert [one.status_code for one in answers] == [200, 404, 400, 405]
    assert len({one.headers["x-request-id"] for one in answers}) == len(answers)
    for refused in answers[1:]:
        assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_an_error_of_ours_carries_its_id(data_dir: Path, registry: FaultyRegistry) -> None:
    app = create_app(Settings(data_dir=data_dir, promotion_schedule=None), registry=registry)
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        service_behind(client).games.play = None  # type: ignore[union-attr]

        response = client.get("/round_points", params={"game_id": "7"}, headers={"X-Request-ID": "mine"})

    assert response.status_code == 500
    assert response.headers["x-request-id"] == response.json()["request_id"] == "mine"


def test_a_line_of_the_log_names_the_request_that_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tests")
    caplog.handler.addFilter(LogFilter())

    async def work(_request: Request) -> Response:
        await to_thread.run_sync(log.warning, "in a thread")
        return Response()

    log.warning("before")
    app = Starlette(routes=[Route("/", work)], middleware=[Middleware(Front)])
    with TestClient(app) as client:
        client.get("/", headers={"X-Request-ID": "mine"})

    said = {record.message: record.__dict__ for record in caplog.records}
    assert said["before"]["request"] == {}
    assert said["in a thread"]["request"] == {"request_id": "mine"}


@pytest.mark.parametrize(
    ("given", "traced"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later", True),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        ("forged\x20line", False),
    ],
)
def test_the_callers_trace_comes_into_the_lines(given: str, traced: bool) -> None:
    found: list[Trace | None] = []

    async def endpoint(_request: Request) -> Response:
        found.append(trace.get())
        return Response()

    app = Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(Front)])
    with TestClient(app) as client:
        client.get("/", headers={"traceparent": given})

    wanted = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert found == [wanted if traced else None]
