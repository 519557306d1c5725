import socket
from contextlib import closing

import pytest

from gameplay.serving.errors import AddressError
from gameplay.serving.listening import listen


def test_a_client_who_comes_early_waits_in_line() -> None:
    with listen("127.0.0.1", 0) as listening, closing(socket.create_connection(listening.getsockname())) as client:
        server, _ = listening.accept()
        server.sendall(b"late")
        server.close()

        assert client.recv(4) == b"late"


def test_a_taken_port_is_said_with_the_setting() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]

        with pytest.raises(AddressError, match=rf"port {port} of 127\.0\.0\.1 is taken.*RPS_PORT"):
            listen("127.0.0.1", port)


def test_a_port_can_be_taken_again_although_a_connection_lingers() -> None:
    first = listen("127.0.0.1", 0)
    address = first.getsockname()
    with closing(socket.create_connection(address)) as client:
        server, _ = first.accept()
        server.close()  # this side closes first, and its end of the connection lingers
        first.close()
        client.recv(1)

    listen(*address).close()


@pytest.mark.parametrize(
    ("host", "said"),
    [("192.0.2.1", "no address of this machine"), ("no such host", "no such address"), ("x" * 300, "no such")],
)
def test_a_host_that_is_none_of_this_machine_is_said(host: str, said: str) -> None:
    with pytest.raises(AddressError, match=f"RPS_HOST={host}.*{said}"):
        listen(host, 0)
