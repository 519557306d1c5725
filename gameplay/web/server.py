"""uvicorn's configuration: a bounded protocol, and no more connections than descriptors."""

import resource
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gameplay.config import Settings
from gameplay.web.connections import Connections
from gameplay.web.limits import DEFAULTS, Limits
from gameplay.web.protocol import BoundedProtocol

GRACE_SECONDS = 6
DESCRIPTORS_WANTED = 65_536
DESCRIPTORS_RESERVED = 256
"""For the database, the models, MLflow and the log."""


def server_config(app: ASGIApp, settings: Settings, limits: Limits = DEFAULTS) -> uvicorn.Config:
    """The server's configuration. Also raises the process's limit on descriptors."""
    room = Connections(min(limits.connections, connections_max(raise_descriptors())))
    protocol: Any = partial(BoundedProtocol, limits=limits, room=room)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        root_path=settings.root_path,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the application reads them, and the host with them
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def raise_descriptors() -> int:
    """Raise the soft limit on open descriptors as far as the hard one allows; returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def connections_max(descriptors: int) -> int:
    """How many connections leave enough descriptors for everything else."""
    return max(descriptors - DESCRIPTORS_RESERVED, descriptors // 2)
