"""The floor of a request: the same server, the bare framework, an answer of the same size: `python -m bench.bare`.

    python -m bench.bare PORT

It answers as `/play` and `/start_game` do, and does nothing: no game, no model, no ledger.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.process import ROOT, Served, module_command
from gameplay.config import Settings
from gameplay.game.features import FEATURE_NAMES
from gameplay.web.server import server_config
from scripts.children import Child
from scripts.ports import free_port

READY_SECONDS_MAX = 30.0

# The fields and the size of a real answer in the middle of a game.
ANSWER = json.dumps(
    {
        "game_id": "0" * 36,
        **dict.fromkeys(("user_move", "player_move", "bot_move", "result", "policy", "message"), "scissors"),
        **dict.fromkeys(("user_delta", "bot_delta", "user_score", "bot_score"), 4.5),
        "round_points": {"rock": 1.0, "paper": 1.3, "scissors": 1.8},
        "scores": {"player": 4.5, "bot": 3.0, "ties": 1},
        "finished": False,
        "model_info": {"model_type": "feedforward_nn", "model_alias": "Production", "model_version": 1},
        "debug": {
            "probabilities": [0.123456789] * 3,
            "expected_values": [0.123456789] * 3,
            "features": dict.fromkeys(FEATURE_NAMES, 0.5),
        },
    },
    separators=(",", ":"),
).encode()


async def answer(request: Request) -> Response:
    """Read the body, as every handler must, and answer."""
    json.loads(await request.body())
    return Response(ANSWER, media_type="application/json")


@contextmanager
def served() -> Iterator[Served]:
    """The bare server in a process of its own."""
    port = free_port()
    process = Child(module_command("bench.bare", str(port)), cwd=ROOT)
    bare = Served(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait_until_it_answers(bare.url)
        yield bare
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{url}/play", b"{}"), timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main() -> None:
    """Serve until a signal comes."""
    routes = [Route(path, answer, methods=["POST"]) for path in ("/play", "/start_game")]
    uvicorn.Server(server_config(Starlette(routes=routes), Settings(port=int(sys.argv[1])))).run()


if __name__ == "__main__":
    main()
