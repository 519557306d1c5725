import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gameplay.config import Settings
from gameplay.web.app import CALLS
from gameplay.web.calls import Call, direct, routes
from gameplay.web.direct import Direct


async def say_method(request: Request) -> Response:
    return Response(request.method)


def test_a_path_with_two_calls_names_the_methods_of_both() -> None:
    page = Call(method="GET", path="/play", endpoint=say_method)
    move = Call(method="POST", path="/play", endpoint=say_method)
    client = TestClient(Starlette(routes=routes([page, move], Settings())))

    for path in ("/play", "/play/"):
        assert [client.request(method, path).text for method in ("GET", "POST")] == ["GET", "POST"]
        assert client.head(path).status_code == 200
        for method in ("PUT", "OPTIONS", "BREW"):
            refused = client.request(method, path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(role="play"), Settings(allowed_origins=frozenset({"https://games.example"}))]
)
def test_the_short_way_leads_where_the_router_would(settings: Settings) -> None:
    router, found = routes(CALLS, settings), direct(CALLS, settings)

    for (method, path), route in found.items():
        scope = {"type": "http", "method": method, "path": path}
        first = next(one for one in router if one.matches(scope)[0] is Match.FULL)
        assert (first.path, first.methods, first.name) == (route.path, route.methods, route.name)
    assert (("POST", "/play") in found) == (not settings.allowed_origins)
    assert ("GET", "/metrics") not in found, "its answers are compressed on the way"


def test_the_short_way_starts_below_the_path_of_a_proxy() -> None:
    move = Call(method="POST", path="/play", endpoint=say_method)
    found = direct([move], Settings())

    async def too_far(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the router was asked")

    for root in ("", "/rps"):
        client = TestClient(Direct(too_far, found), root_path=root)
        assert [client.post(f"{root}{path}").text for path in ("/play", "/play/")] == ["POST", "POST"]
