"""What tests do with a service over HTTP, and what they read back from it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx2
from sqlalchemy import text
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.models.registry import Registry
from gameplay.serving.service import PREPARING, Service
from gameplay.web.app import create_app
from gameplay.web.limits import DEFAULTS, Limits
from tests.patience import PATIENCE_SECONDS

BASE_URL = "http://127.0.0.1:8080"
REPORT_PATH = "/internal/promotion/report"
HISTORY_PATH = "/internal/promotion/history"


def wait_until(condition: Callable[[], bool], seconds_max: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def wait_adopted() -> None:
    """Wait until no start looks at the registry any more.

    It does so after the service is ready, and moves aliases that a test has moved in the ledger alone back again.
    """
    wait_until(lambda: PREPARING not in {thread.name for thread in threading.enumerate()})


@contextmanager
def serving(settings: Settings, registry: Registry, limits: Limits = DEFAULTS) -> Iterator[TestClient]:
    """The service over a prepared data folder, as soon as it is ready and has looked at the registry."""
    with TestClient(create_app(settings, registry=registry, limits=limits), base_url=BASE_URL) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_adopted()
        yield client


def service_behind(client: TestClient) -> Service:
    return cast(Service, client.app_state["service"])


def ok(response: httpx2.Response) -> Any:
    """The answer's JSON."""
    assert response.status_code == 200, response.text
    return response.json()


def start(client: httpx2.Client, policy: str = "forrest", **more: object) -> dict[str, Any]:
    """The answer to a game's start."""
    return cast(dict[str, Any], ok(client.post("/start_game", json={"policy": policy, **more})))


def play(client: httpx2.Client, game_id: str, move: str = "rock", **more: object) -> dict[str, Any]:
    """The answer to one round."""
    return cast(dict[str, Any], ok(client.post("/play", json={"game_id": game_id, "user_move": move, **more})))


def play_on(client: httpx2.Client, game_id: str, move: str = "rock") -> dict[str, Any]:
    """Play a game to its end; the answer to its last round."""
    while not (answer := play(client, game_id, move))["finished"]:
        pass
    return answer


def samples(client: httpx2.Client, scope: str | None = "ledger") -> dict[str, float]:
    """Every sample of /metrics: name and labels -> value."""
    return sample_values(client.get("/metrics", params={"scope": scope} if scope else {}).raise_for_status().text)


def sample_values(body: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def history(client: httpx2.Client, **query: object) -> list[dict[str, Any]]:
    """The rows of the promotion history."""
    return cast(list[dict[str, Any]], ok(client.get(HISTORY_PATH, params=cast(Any, query))))


def events_of(client: TestClient, event_type: str) -> int:
    """How many events of a type there are, by plain SQL."""
    with service_behind(client).core.engine.connect() as connection:
        query = text("SELECT count(*) FROM events WHERE type = :type")
        return int(connection.execute(query, {"type": event_type}).scalar_one())


def state(client: TestClient) -> tuple[object, ...]:
    """Everything that a refused request must leave as it was."""
    return (
        service_behind(client).core.ledger.head(),
        client.get("/metrics", params={"scope": "ledger"}).raise_for_status().content,
        client.get(HISTORY_PATH, params={"detail": 1}).raise_for_status().content,
    )
