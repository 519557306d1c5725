"""A service on a port of its own, for clients that are no test client: a browser, a stream."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import uvicorn

from gameplay.config import Settings
from gameplay.models.registry import Registry
from gameplay.serving.service import Service
from gameplay.web.app import create_app
from gameplay.web.server import server_config
from tests.gameplay.web_clients import wait_until
from tests.patience import PATIENCE_SECONDS

ENDLESS_SECONDS = 3_600


@dataclass(frozen=True)
class Site:
    """A running service: its address, a client for it, and what is behind it."""

    url: str
    client: httpx2.Client
    service: Service
    server: uvicorn.Server


@contextmanager
def running_site(settings: Settings, registry: Registry, *, grace_seconds: int | None = None) -> Iterator[Site]:
    """The service over a data folder, ready, in a thread of its own.

    With `grace_seconds` a stop cuts no connection before that: what ends earlier has ended by itself.
    """
    config = server_config(create_app(settings, registry=registry), settings)
    if grace_seconds is not None:
        config.timeout_graceful_shutdown = grace_seconds
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{settings.root_path}"
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with httpx2.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
                wait_until(lambda: server.started)
                wait_until(lambda: client.get("/readyz").status_code == 200)
                yield Site(url, client, server.lifespan.state["service"], server)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
