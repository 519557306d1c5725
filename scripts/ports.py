"""Ports for servers of one's own."""

import socket
from contextlib import ExitStack


def free_port() -> int:
    """A loopback port on which nothing listens."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many ports, each another one: one that is let go of at once may be given again."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
