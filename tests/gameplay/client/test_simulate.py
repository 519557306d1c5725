import socket
import subprocess
import sys

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gameplay.client.simulate import ScriptedPlayer, SimulationError, connect
from gameplay.game.games import fold
from ledger.streams import game_stream
from ledger.vocabulary import POLICIES, Opponent
from tests.gameplay.web_clients import samples, service_behind


@pytest.mark.parametrize("policy", [*POLICIES, "hal"])
def test_a_bot_plays_to_the_end_through_http(served: TestClient, policy: Opponent) -> None:
    (game,) = ScriptedPlayer(served, "cal", seed=1).games(policy, 1)

    ledger = service_behind(served).core.ledger
    stored = fold([ledger.decode(entry) for entry in ledger.read_stream(game_stream(game.game_id))])
    assert stored.finished is not None
    assert (stored.started.player_kind, stored.started.player_id) == ("bot", "cal")
    assert (game.policy, game.alias, game.rounds) == (policy, stored.started.alias, len(stored.rounds))
    assert game.winner == stored.finished.winner


def test_simulated_games_count_like_anybodys(served: TestClient) -> None:
    assert len(list(ScriptedPlayer(served, "gus").games("logan", 3))) == 3
    assert samples(served)['rps_games_total{difficulty="standard",policy="logan"}'] == 3


def test_a_service_that_does_not_listen_is_named() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with connect(url) as client, pytest.raises(SimulationError, match=f"no answer from {url}.*rps serve"):
        ScriptedPlayer(client, "cal").game("forrest")


def test_another_answer_than_200_is_reported() -> None:
    client: httpx2.Client = TestClient(Starlette())

    with pytest.raises(SimulationError, match="POST /start_game was answered 404"):
        ScriptedPlayer(client, "cal").game("forrest")


@pytest.mark.parametrize("body", ["<html>", "{}", "[1]", '{"game_id": 7}', "\ufffe"])
def test_an_answer_of_another_program_is_reported(body: str) -> None:
    def answered(_request: Request) -> Response:
        return Response(body.encode("utf-16" if body == "\ufffe" else "utf-8"))

    client: httpx2.Client = TestClient(Starlette(routes=[Route("/start_game", answered, methods=["POST"])]))

    with pytest.raises(SimulationError, match="this is no answer of a game"):
        ScriptedPlayer(client, "cal").game("forrest")


def test_what_is_no_address_is_reported() -> None:
    with pytest.raises(SimulationError, match="is no address such as http"):
        connect("http://a\x01b")


def test_a_client_loads_no_server() -> None:
    modules = "import sys, gameplay.client.simulate; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", modules], capture_output=True, text=True, check=True).stdout

    server = {"apscheduler", "mlflow", "obstore", "onnxruntime", "prometheus_client", "sqlalchemy", "starlette"}
    assert server.isdisjoint(module.partition(".")[0] for module in loaded.split())
    assert not [one for one in loaded.split() if one.startswith(("gameplay.serving", "gameplay.web", "numpy"))]
