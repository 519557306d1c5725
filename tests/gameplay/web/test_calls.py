from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.calls import Call, routes


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
