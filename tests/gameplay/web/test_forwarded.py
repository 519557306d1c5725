"""What the application hears of a request that came through a proxy, and where the links of an answer lead."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.forwarded import Forwarded
from gameplay.web.tables import public_url
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import HISTORY_PATH, REPORT_PATH, ok

BEHIND = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "rps.example:8443",
    "X-Forwarded-For": "203.0.113.7",
    "Host": "inside",
}


async def heard(request: Request) -> Response:
    client = request.client.host if request.client else None
    return JSONResponse({"link": public_url(request, "/next"), "client": client, "host": request.headers["host"]})


def ask(peer: str, headers: Mapping[str, str], *, trusted: str = "10.0.0.0/8,::1") -> dict[str, str]:
    app = Starlette(routes=[Route("/", heard)], middleware=[Middleware(Forwarded, trusted=trusted)])
    with TestClient(app, client=(peer, 50_000)) as client:
        found: dict[str, str] = client.get("/", headers=headers).json()
    return found


@pytest.mark.parametrize("peer", ["10.1.2.3", "::1"])
def test_a_trusted_proxy_says_how_the_caller_came(peer: str) -> None:
    assert ask(peer, BEHIND) == {
        "link": "https://rps.example:8443/next",
        "client": "203.0.113.7",
        "host": "inside",  # by which the service decides what its own pages are
    }


@pytest.mark.parametrize("peer", ["192.0.2.1", "::2", "testclient"])
def test_anybody_else_says_nothing(peer: str) -> None:
    assert ask(peer, BEHIND) == {"link": "http://inside/next", "client": peer, "host": "inside"}


def test_the_first_of_two_hosts_is_the_callers() -> None:
    headers = {**BEHIND, "X-Forwarded-Host": "rps.example, inner.example"}

    assert ask("10.0.0.1", headers)["link"] == "https://rps.example/next"


@pytest.mark.parametrize("host", ["", "a b", 'x>; rel="next"', "rps.example/path"])
def test_a_host_that_is_none_makes_no_address(host: str) -> None:
    link = ask("10.0.0.1", {**BEHIND, "X-Forwarded-Host": host})["link"]

    assert link == ("/next" if host else "https://inside/next")


def test_a_star_trusts_every_peer_and_nothing_trusts_none() -> None:
    assert ask("192.0.2.1", BEHIND, trusted="*")["link"] == "https://rps.example:8443/next"
    assert ask("127.0.0.1", BEHIND, trusted="")["link"] == "http://inside/next"


def test_the_links_of_history_lead_through_the_proxy(serve: Serve, settings: Settings) -> None:
    report = {"model_type": "xgboost", "decision": "insufficient_data"}
    with serve(replace(settings, forwarded_allow_ips="*")) as client:
        for _ in range(2):
            ok(client.post(REPORT_PATH, json=report))
        link = client.get(HISTORY_PATH, params={"limit": 1}, headers=BEHIND).headers["link"]

    assert link.startswith(f"<https://rps.example:8443{HISTORY_PATH}?")
