"""The socket on which a service listens: taken before anything else is done, which may take a minute."""

import errno
import socket

from gameplay.serving.errors import AddressError

BACKLOG = 2_048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; a client who comes before the service serves waits in line. Raises AddressError.

    Listening, not only bound: of sockets that are merely bound, Linux lets two have the same port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise AddressError(f"RPS_HOST={host}: there is no such address: {error}") from error
    listening = socket.socket(family, kind, protocol)
    try:
        # After a restart, connections of the process before may linger for a minute.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise AddressError(_in_words(host, port, error)) from error
    return listening


def _in_words(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is taken by another process: set RPS_PORT, or stop that process"
        case errno.EACCES:
            return f"port {port} of {host} may not be used by this user: set RPS_PORT to 1024 or more"
        case errno.EADDRNOTAVAIL:
            return f"RPS_HOST={host} is no address of this machine"
        case _:
            return f"cannot listen on {host} port {port}: {error.strerror}"
