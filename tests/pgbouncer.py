"""A real connection pooler before a PostgreSQL server of the tests."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.children import Child
from scripts.ports import free_port
from tests.patience import PATIENCE_SECONDS
from tests.postgresql import ADMIN, Server, unprivileged
from tests.programs import require

TRANSACTION_MODE = {"pool_mode": "transaction"}
PERMISSIVE = {**TRANSACTION_MODE, "ignore_startup_parameters": "options"}
"""As administrators set it who were told that settings of a session are not supported."""
STARTS_MAX = 5


@contextmanager
def pooling(server: Server, settings: dict[str, str]) -> Iterator[int]:
    """PgBouncer before a server, for a block; yields its port. It lets in whoever comes."""
    program = require("pgbouncer")
    for _ in range(STARTS_MAX):
        port = free_port()  # which another program may take first: then it ends, and gets another
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "any",
            **settings,
        }
        config = server.folder / f"pgbouncer-{port}.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user={ADMIN}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in lines.items())
        )
        with Child([program, "--quiet", config], cwd="/", **unprivileged()) as pooler:
            try:
                if _listens(pooler, port):
                    yield port
                    return
            finally:
                pooler.kill()
    raise AssertionError("PgBouncer did not start")


def _listens(pooler: Child, port: int) -> bool:
    """Whether it answers at its port; False where it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while pooler.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "PgBouncer does not listen"
            time.sleep(0.02)
        else:
            return True
    return False
