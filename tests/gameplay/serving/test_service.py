"""A service whose start fails or hangs: it answers, says what is wrong, and ends in time."""

import threading

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.serving import service
from gameplay.web.app import create_app
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import service_behind, wait_until


class Panic(BaseException):
    """What an extension module raises past every `except Exception`."""


@pytest.mark.parametrize("error", [Panic("invalid URI"), RuntimeError("invalid URI")])
def test_a_start_that_an_error_ends_is_named_and_the_service_answers(
    settings: Settings, registry: FaultyRegistry, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    registry.at_call(1, fail)
    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: client.get("/healthz").status_code == 503)

        said = f"{type(error).__name__}: invalid URI"
        assert said in client.get("/healthz").json()["detail"]
        assert "the thread preparing died" in client.get("/healthz").json()["detail"]
        assert [said in missing for missing in client.get("/readyz").json()["missing"]] == [True]
        assert said in client.post("/start_game", json={"policy": "brian"}).json()["detail"]
        assert client.get("/metrics?scope=process").status_code == 200


def test_a_writer_that_died_is_named(settings: Settings, registry: FaultyRegistry) -> None:
    with TestClient(create_app(settings, registry=registry)) as client:
        assert client.portal is not None
        client.portal.call(service_behind(client).writer.close)

        answer = client.get("/healthz")
    assert (answer.status_code, "ledger-writer died" in answer.json()["detail"]) == (503, True)


def test_the_end_does_not_wait_for_a_registry_that_hangs(
    settings: Settings, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PREPARING_SECONDS_MAX", 0.0)
    reached, release = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        release.wait(10)

    registry.at_call(1, hang)
    with TestClient(create_app(settings, registry=registry)):
        assert reached.wait(10)

    assert not release.is_set()
    assert "preparing" in {thread.name for thread in threading.enumerate()}
    release.set()
    wait_until(lambda: "preparing" not in {thread.name for thread in threading.enumerate()})


def test_every_thread_of_a_service_has_a_name(settings: Settings, registry: FaultyRegistry) -> None:
    before = set(threading.enumerate())
    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        names = {thread.name for thread in set(threading.enumerate()) - before}

    assert {"ledger-writer", "model-loader", "scheduler"} <= names
    assert not [name for name in names if name.startswith("Thread-")]
