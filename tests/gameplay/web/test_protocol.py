"""What a client may take of the server, over real sockets; limits are small here."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from queue import Queue
from typing import IO, Any, NamedTuple

import pytest
import uvicorn
from starlette.types import ASGIApp

from gameplay.config import Settings
from gameplay.web.app import create_app
from gameplay.web.bodies import WHOLE_BODY
from gameplay.web.limits import Limits
from gameplay.web.server import connections_max, server_config
from tests.gameplay.faults import registry_with_versions
from tests.patience import PATIENCE_SECONDS

SMALL = Limits(
    header_seconds=0.3,
    header_bytes=8_192,
    headers=50,
    body_seconds=0.3,
    keep_alive_seconds=60,
    write_seconds=0.3,
    linger_seconds=5.0,
)
PATIENT = replace(
    SMALL, header_seconds=PATIENCE_SECONDS, body_seconds=PATIENCE_SECONDS, linger_seconds=PATIENCE_SECONDS
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"

Connect = Callable[[], socket.socket]


class Answer(NamedTuple):
    """What came back over a socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        found: dict[str, Any] = json.loads(self.body)
        assert found["request_id"] == self.headers["x-request-id"]
        return str(found["detail"])


@contextmanager
def running(settings: Settings, limits: Limits, app: ASGIApp | None = None) -> Iterator[Connect]:
    """A server in a thread of its own, on a port that the system chose."""
    app = app or create_app(settings, registry=registry_with_versions(), limits=limits)
    server = uvicorn.Server(server_config(app, settings, limits))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            until(lambda: server.started)
            yield lambda: socket.create_connection(address, timeout=PATIENCE_SECONDS)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("bounded"), promotion_schedule=None)


@pytest.fixture(scope="module")
def hurried(settings: Settings) -> Iterator[Connect]:
    """A service whose clients have 0.3 seconds."""
    with running(settings, SMALL) as connect:
        yield connect


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """A service whose clients may take their time, and no more bytes."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("patient"), promotion_schedule=None)
    with running(settings, PATIENT) as connect:
        yield connect


def read_answer(connection: socket.socket) -> Answer:
    """One answer of known length."""
    return next_answer(connection.makefile("rb"))


def next_answer(stream: IO[bytes]) -> Answer:
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Answer(status, headers, stream.read(int(headers["content-length"])))


def answered(connect: Connect) -> socket.socket:
    """A connection on which one request was answered; another one where a slow machine has missed the deadline."""
    while True:
        connection = connect()
        with suppress(OSError, IndexError):  # it was closed, before the request or without an answer
            connection.sendall(HEALTH + b"\r\n")
            if read_answer(connection).status == 200:
                return connection
        connection.close()


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends the connection, rather than that nothing comes."""
    return connection.recv(1) == b""


def test_a_request_is_answered_and_its_connection_stays(patient: Connect) -> None:
    with closing(patient()) as connection:
        for _ in range(3):
            connection.sendall(HEALTH + b"\r\n")
            assert read_answer(connection).status == 200


def test_requests_that_were_sent_ahead_are_answered_in_order(patient: Connect) -> None:
    with closing(patient()) as connection:
        connection.sendall((HEALTH + b"X-Request-ID: 1\r\n\r\n") + (HEALTH + b"X-Request-ID: 2\r\n\r\n"))
        stream = connection.makefile("rb")
        found: list[bytes] = []
        while len(found) < 2:
            line = stream.readline()
            found += [line.split()[1]] if line.lower().startswith(b"x-request-id") else []
    assert found == [b"1", b"2"]


def test_a_header_that_never_ends_is_408(hurried: Connect) -> None:
    with closing(hurried()) as connection:
        connection.sendall(HEALTH)

        refused = read_answer(connection)

        assert refused.status == 408
        assert "header" in refused.detail
        assert refused.headers["connection"] == "close"
        assert is_closed(connection)


def unused(connect: Connect) -> socket.socket:
    return connect()


@pytest.mark.parametrize("connect", [unused, answered], ids=["first", "later"])
def test_a_header_byte_by_byte_is_408(hurried: Connect, connect: Callable[[Connect], socket.socket]) -> None:
    with closing(connect(hurried)) as connection:
        ended = threading.Event()

        def drip() -> None:
            with suppress(OSError):  # it was refused, and closed before the test has read that
                for byte in HEALTH * 100:
                    if ended.wait(0.01):
                        return
                    connection.sendall(bytes([byte]))

        dripping = threading.Thread(target=drip)
        dripping.start()
        refused = read_answer(connection)
        ended.set()
        dripping.join()

    assert refused.status == 408


def test_blank_lines_are_no_sign_of_life(hurried: Connect) -> None:
    with closing(answered(hurried)) as connection:
        connection.sendall(b"\r\n")

        assert read_answer(connection).status == 408


def test_a_connection_on_which_nothing_is_sent_is_closed(hurried: Connect) -> None:
    with closing(hurried()) as connection:
        assert is_closed(connection)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(HEALTH + b"X: " + b"x" * 10_000 + b"\r\n\r\n", id="a long value"),
        pytest.param(HEALTH + b"x" * 10_000 + b": x\r\n\r\n", id="a long name"),
        pytest.param(b"GET /healthz?" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
        pytest.param(HEALTH + b"a: b\r\n" * 60 + b"\r\n", id="many lines"),
        pytest.param(HEALTH + b"a: b\r\n" * 10_000, id="lines without an end"),
        pytest.param(HEALTH + b"X: " + b"x" * (30 << 20), id="a value without an end"),
        pytest.param(b"GET /" + b"x" * (3 << 20), id="a path without an end"),
        pytest.param(HEALTH + b"X: " + b"x" * (3 << 20) + b"\r\n\r\n", id="a value of megabytes"),
    ],
)
def test_a_header_over_the_limit_is_431_and_the_client_sees_it(patient: Connect, header: bytes) -> None:
    with closing(patient()) as connection:
        connection.sendall(header)

        refused = read_answer(connection)

        assert refused.status == 431
        assert "header" in refused.detail
        assert is_closed(connection)


def test_a_header_at_the_limit_is_read(patient: Connect) -> None:
    with closing(patient()) as connection:
        connection.sendall(HEALTH + b"".join(b"X-%d: y\r\n" % number for number in range(48)) + b"\r\n")
        assert read_answer(connection).status == 200
        connection.sendall(HEALTH + b"X: " + b"x" * 8_000 + b"\r\n\r\n")
        assert read_answer(connection).status == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELO me\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_400(patient: Connect, garbage: bytes) -> None:
    with closing(patient()) as connection:
        connection.sendall(garbage)

        refused = read_answer(connection)

        assert (refused.status, refused.detail) == (400, "this is no HTTP request")


def post(length: int | None, body: bytes = b"") -> bytes:
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"POST /play HTTP/1.1\r\nHost: 127.0.0.1\r\n" + framing + b"\r\n\r\n" + body


Framing = Callable[[bytes], list[bytes]]
FRAMINGS: dict[str, Framing] = {
    "with its header": lambda body: [post(len(body), body)],
    "after its header": lambda body: [post(len(body)), body],
    "in halves": lambda body: [post(len(body), body[:9]), body[9:]],
    "in a chunk": lambda body: [post(None, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))],
    "in two chunks": lambda body: [
        post(None, b"9\r\n%b\r\n" % body[:9]),
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 9, body[9:]),
    ],
}


def move(game_id: str, framing: Framing) -> list[bytes]:
    """A move in a game that does not exist, which its refusal names, in the packets of a framing."""
    return framing(json.dumps({"game_id": game_id, "user_move": "rock"}).encode())


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_a_body_is_read_however_it_arrives(patient: Connect, framing: Framing) -> None:
    with closing(patient()) as connection:
        for game_id in ("first", "second"):
            for packet in move(game_id, framing):
                connection.sendall(packet)
                time.sleep(0.01)  # so that the next is a packet of its own, and the call has begun

            refused = read_answer(connection)
            assert (refused.status, refused.detail) == (404, f"there is no game {game_id}")


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_requests_that_were_sent_ahead_keep_their_own_bodies(patient: Connect, framing: Framing) -> None:
    games = [f"game-{number}" for number in range(5)]
    with closing(patient()) as connection:
        connection.sendall(b"".join(packet for game_id in games for packet in move(game_id, framing)))
        stream = connection.makefile("rb")

        assert [next_answer(stream).detail for _ in games] == [f"there is no game {one}" for one in games]


AT_ONCE = {"with its header", "in a chunk"}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_only_a_body_in_the_packet_of_its_header_is_there_without_being_read(
    settings: Settings, framing: str
) -> None:
    """Of another the application may have read a part by then."""
    begun, found = threading.Event(), Queue[bytes | None]()

    async def look(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            begun.set()
            while (await receive())["more_body"]:
                pass
            found.put(scope.get(WHOLE_BODY))
        await silent(scope, receive, send)

    with running(settings, PATIENT, look) as connect, closing(connect()) as connection:
        first, *others = FRAMINGS[framing](b'{"game_id":"first"}')
        connection.sendall(first)
        assert begun.wait(PATIENCE_SECONDS)  # or two packets might be read as one
        connection.sendall(b"".join(others))

        body = found.get(timeout=PATIENCE_SECONDS)
    assert body == (b'{"game_id":"first"}' if framing in AT_ONCE else None)


@pytest.mark.parametrize("request_", [post(100), post(100, b"{"), post(None), post(None, b"1\r\n{\r\n")])
def test_a_body_that_never_comes_is_408(hurried: Connect, request_: bytes) -> None:
    with closing(hurried()) as connection:
        connection.sendall(request_)

        refused = read_answer(connection)

        assert refused.status == 408
        assert "body" in refused.detail
        assert is_closed(connection)


def test_a_length_of_many_digits_is_a_length(patient: Connect) -> None:
    with closing(patient()) as connection:
        connection.sendall(post(0).replace(b": 0", b": " + b"0" * 5_000 + b"2") + b"{}")

        assert read_answer(connection).status == 422


def test_a_body_byte_by_byte_is_408(hurried: Connect) -> None:
    with closing(hurried()) as connection:
        connection.sendall(post(10_000))
        ended = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not ended.wait(0.01):
                    connection.sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        refused = read_answer(connection)
        ended.set()
        dripping.join()

    assert refused.status == 408


@pytest.mark.parametrize("size", [(1 << 20) + 1, 8 << 20])
def test_a_body_over_the_limit_is_413_and_the_client_sees_it(patient: Connect, size: int) -> None:
    with closing(patient()) as connection:
        connection.sendall(post(size, b" " * size))
        refused = read_answer(connection)
        assert (refused.status, refused.headers["connection"]) == (413, "close")
        assert is_closed(connection)
    with closing(patient()) as connection:
        connection.sendall(post(None, b"%x\r\n" % size + b" " * size + b"\r\n"))
        assert read_answer(connection).status == 413


def test_an_unread_body_ends_the_connection(patient: Connect) -> None:
    with closing(patient()) as connection:
        connection.sendall(HEALTH + b"Content-Length: 100\r\n\r\nx")

        assert read_answer(connection).status == 200
        assert is_closed(connection)


def test_what_follows_a_chunked_body_adds_no_header(patient: Connect) -> None:
    with closing(patient()) as connection:
        connection.sendall(post(None, b"2\r\n{}\r\n0\r\nX-Request-ID: late\r\n\r\n"))

        refused = read_answer(connection)

        assert (refused.status, refused.headers["x-request-id"]) != (422, "late")


def test_idle_connections_make_room_for_new_ones(settings: Settings) -> None:
    with running(settings, replace(PATIENT, connections=8), silent) as connect:
        idle = [connect() for _ in range(40)]
        for _ in range(20):
            with closing(connect()) as connection:
                connection.sendall(HEALTH + b"\r\n")
                assert read_answer(connection).status == 200
        assert all(is_closed(connection) for connection in idle[:30])
        for connection in idle:
            connection.close()


def test_a_connection_beyond_the_limit_is_503_while_all_are_busy(settings: Settings) -> None:
    with running(settings, replace(PATIENT, connections=3), silent) as connect:
        busy = [connect() for _ in range(3)]
        for connection in busy:
            connection.sendall(post(100).replace(b"\r\n", b"\r\nExpect: 100-continue\r\n", 1))
            # Now the service waits for this body: the connection is not one that makes room for another.
            assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        with closing(connect()) as connection:
            refused = read_answer(connection)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        for connection in busy:
            connection.close()


def test_an_answer_that_is_not_read_is_given_up(settings: Settings) -> None:
    with (
        running(settings, replace(PATIENT, write_seconds=0.2), verbose) as connect,
        closing(connect()) as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(HEALTH + b"\r\n")

        until(gave_up.is_set)


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(256, 128), (1_024, 768), (4_096, 3_840), (65_536, 65_280)]
)
def test_connections_leave_descriptors_for_everything_else(descriptors: int, connections: int) -> None:
    assert connections_max(descriptors) == connections


gave_up = threading.Event()


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers when the body is there."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def verbose(scope: Any, receive: Any, send: Any) -> None:
    """An application that has much to say, and learns whether it is heard."""
    if scope["type"] == "lifespan":
        await silent(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1_000):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await receive()
    gave_up.set()
