"""The example of a proxy before a cluster: which call goes to which process."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gameplay.web.app import CALLS
from scripts.children import Child
from scripts.ports import free_port
from tests.patience import PATIENCE_SECONDS
from tests.programs import require

CONFIG = Path(__file__).parents[2] / "ops" / "cluster" / "haproxy.cfg"
SERVERS = ("PLAY_1", "PLAY_2", "PLAY_3", "PROJECTOR_1", "PROJECTOR_2")


def named(name: str) -> type[BaseHTTPRequestHandler]:
    """Answers every call with its own name."""

    class Named(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        do_POST = do_GET  # noqa: N815 - the library looks for this name

        def log_message(self, *_args: object) -> None:
            """Keep the tests' output clean."""

    return Named


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """HAProxy is killed at the end, with the connections that it has kept."""


class Proxy:
    """HAProxy before five processes, each of which says its name."""

    def __init__(self, port: int, servers: dict[str, Server]) -> None:
        self._port = port
        self._servers = servers

    def call(self, method: str, path: str, body: object = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def stop(self, name: str) -> None:
        self._servers[name].shutdown()
        self._servers[name].server_close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    haproxy = require("haproxy")
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name in SERVERS:
            server = Server(("127.0.0.1", 0), named(name))
            stack.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            servers[name] = server
        port = free_port()
        addresses = {f"RPS_{name}": f"127.0.0.1:{server.server_port}" for name, server in servers.items()}
        environment = {**os.environ, **addresses, "RPS_PROXY": f"127.0.0.1:{port}"}
        process = Child([haproxy, "-q", "-db", "-f", CONFIG], env=environment, start_new_session=True)
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGKILL)
        started = Proxy(port, servers)
        wait_until(lambda: answers(started))
        yield started


def answers(proxy: Proxy) -> bool:
    try:
        return proxy.call("GET", "/") in SERVERS
    except ConnectionError:
        return False


def test_every_call_goes_to_a_process_that_answers_it(proxy: Proxy) -> None:
    for call in CALLS:
        for path in {call.path, f"{call.path}/".replace("//", "/")}:
            found = proxy.call(
                call.method, path.replace("{", "").replace("}", ""), {} if call.method == "POST" else None
            )
            expected = "PLAY" if call.part == "games" else "PROJECTOR"
            assert found.startswith(expected), f"{call.method} {path}"


def test_a_game_stays_on_one_process_and_games_are_spread(proxy: Proxy) -> None:
    homes = {}
    for number in range(30):
        game_id = f"game-{number}"
        found = {
            proxy.call("POST", "/play", {"game_id": game_id, "user_move": "rock", "round": r}) for r in (1, 2, 3)
        }
        found.add(proxy.call("GET", f"/round_points?game_id={game_id}"))
        (homes[game_id],) = found
    assert set(homes.values()) == {"PLAY_1", "PLAY_2", "PLAY_3"}


def test_a_process_that_is_gone_is_passed_over_and_its_games_alone_move(proxy: Proxy) -> None:
    def home(number: int) -> str:
        return proxy.call("POST", "/play", {"game_id": f"game-{number}"})

    before = [home(number) for number in range(30)]
    proxy.stop("PLAY_2")
    after = [home(number) for number in range(30)]
    assert "PLAY_2" not in after
    assert [one for one, then in zip(before, after, strict=True) if one != "PLAY_2" and one != then] == []


def test_the_second_projector_answers_when_the_first_is_gone(proxy: Proxy) -> None:
    assert {proxy.call("GET", "/metrics") for _ in range(5)} == {"PROJECTOR_1"}
    proxy.stop("PROJECTOR_1")
    assert proxy.call("GET", "/metrics") == "PROJECTOR_2"
