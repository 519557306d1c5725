import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.app import CALLS
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.web_clients import serving

PLAYS = "https://play.example"
GAME = {call.path: call.method for call in CALLS if call.shared}
NOT_SHARED = [call for call in CALLS if call.path not in GAME and "{" not in call.path]
OTHERS = {call.path: call.method for call in NOT_SHARED if not call.endless}
ENDLESS = {call.path: call.method for call in NOT_SHARED if call.endless}


@pytest.fixture(scope="module")
def client(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("crossed") / "data")
    allowed = frozenset({PLAYS, "http://localhost:3000"})
    settings = Settings(data_dir=folder, promotion_schedule=None, allowed_origins=allowed)
    with serving(settings, registry_with_versions()) as client:
        yield client


def preflight(client: TestClient, path: str, origin: str, method: str = "POST") -> int:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return client.options(path, headers=asked).status_code


def test_the_games_calls_are_shared() -> None:
    assert GAME == {"/play": "POST", "/round_points": "GET", "/start_game": "POST", "/policies": "GET"}


@pytest.mark.parametrize("path", GAME)
def test_a_named_origin_may_play(client: TestClient, path: str) -> None:
    asked = {"Origin": PLAYS, "Access-Control-Request-Method": GAME[path]}

    allowed = client.options(path, headers=asked)
    answer = client.request(GAME[path], path, headers={"Origin": PLAYS})

    assert allowed.status_code == 204
    assert GAME[path] in allowed.headers["access-control-allow-methods"]
    assert "Content-Type" in allowed.headers["access-control-allow-headers"]
    for response in (allowed, answer):
        assert response.headers["access-control-allow-origin"] == PLAYS
        assert "Origin" in response.headers["vary"]
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://play.example", PLAYS + ".evil.example"]
)
def test_another_origin_learns_nothing(client: TestClient, origin: str) -> None:
    for path, method in GAME.items():
        assert preflight(client, path, origin) == 403
        answer = client.request(method, path, headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", OTHERS)
def test_no_other_call_is_shared(client: TestClient, path: str) -> None:
    assert preflight(client, path, PLAYS, OTHERS[path]) == 405
    assert (
        "access-control-allow-origin" not in client.request(OTHERS[path], path, headers={"Origin": PLAYS}).headers
    )


@pytest.mark.parametrize("path", ENDLESS)
def test_no_stream_is_shared(client: TestClient, path: str) -> None:
    assert preflight(client, path, PLAYS, ENDLESS[path]) == 405


def test_nothing_is_shared_without_the_setting(shared: TestClient) -> None:
    for path, method in GAME.items():
        assert preflight(shared, path, PLAYS) == 405
        assert "access-control-allow-origin" not in shared.request(method, path, headers={"Origin": PLAYS}).headers
