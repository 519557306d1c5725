"""Ports for servers of one's own."""

import random
import socket
from contextlib import ExitStack, suppress
from typing import Final

SERVERS: Final = range(20_000, 32_000)
"""Below the ports that a system gives to clients, who would take one that has just been let go of."""


def free_port() -> int:
    """A loopback port on which nothing listens."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many ports, each another one: one that is let go of at once may be given again."""
    found: list[int] = []
    # Of the system's own randomness: a test with a fixed seed is no reason to try the same port again.
    draw = random.SystemRandom()
    with ExitStack() as held:
        while len(found) < count:
            port, one = draw.choice(SERVERS), held.enter_context(socket.socket())
            with suppress(OSError):  # somebody listens there
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found
