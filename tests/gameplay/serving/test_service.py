"""A service whose start fails or hangs: it answers, says what is wrong, and ends in time."""

import logging
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.serving import schedule, service
from gameplay.web.app import create_app
from ledger.engines.database import disposing, open_engine
from ledger.identity import read_id
from ledger.store import Ledger
from projections.projector import Projector
from tests.builders import game_finished
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import BASE_URL, play, service_behind, start, wait_until
from tests.patience import PATIENCE_SECONDS


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


def test_a_service_that_is_ready_later_than_its_start_says_so(
    settings: Settings, registry: FaultyRegistry, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    link = data_dir / "models" / "rps_bot_xgboost" / "versions" / "3"
    digest, kept = link.read_text(), registry.kept.pop(("xgboost", 3))
    link.unlink()
    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: "started, and not ready: xgboost: version 3" in caplog.text)
        assert "ready after" not in caplog.text

        link.write_text(digest)
        registry.kept["xgboost", 3] = kept
        client.post("/models/reload")
        wait_until(lambda: "ready after" in caplog.text)

    assert caplog.text.count("ready after") == 1


def test_a_service_that_never_becomes_ready_ends_in_time(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, promotion_schedule=None), registry=FaultyRegistry())
    with TestClient(app) as client:
        wait_until(lambda: "no aliases yet" in client.get("/readyz").text)

    assert service.PREPARING not in {thread.name for thread in threading.enumerate()}


def test_an_event_that_stops_the_projections_during_the_start_is_no_death_of_its_thread(
    settings: Settings, registry: FaultyRegistry
) -> None:
    def poison() -> None:
        with disposing(open_engine(settings.database_url)) as engine:
            Ledger(engine).append("game-odd", [game_finished(game_id="odd")], 0)

    registry.at_call(1, poison)
    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: service_behind(client).core.read_models.projector.failure is not None)
        wait_until(lambda: "preparing" not in {thread.name for thread in threading.enumerate()})

        assert "position" in client.get("/readyz").json()["missing"][0]
        assert client.get("/healthz").status_code == 200


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
        release.wait(PATIENCE_SECONDS)

    registry.at_call(1, hang)
    with TestClient(create_app(settings, registry=registry)):
        assert reached.wait(PATIENCE_SECONDS)

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


def test_a_file_that_is_gone_is_said_and_nothing_is_acknowledged(served: TestClient, data_dir: Path) -> None:
    game_id = start(served)["game_id"]
    path = data_dir / "ledger.db"
    path.rename(data_dir / "away.db")

    for call, body in (("/play", {"game_id": game_id, "user_move": "rock"}), ("/start_game", {"policy": "brian"})):
        refused = served.post(call, json=body)
        assert (refused.status_code, "nothing is acknowledged" in refused.json()["detail"]) == (503, True)
    ready = served.get("/readyz")
    assert (ready.status_code, "ledger.db is gone" in ready.text) == (503, True)
    assert served.get("/healthz").status_code == 200
    assert not path.exists()

    (data_dir / "away.db").rename(path)

    assert served.get("/readyz").status_code == 200
    assert play(served, game_id)["round"] == 1


def test_a_registry_without_an_owner_is_given_one(served: TestClient, registry: FaultyRegistry) -> None:
    wait_until(lambda: registry.owned_by is not None)

    assert registry.owned_by == read_id(service_behind(served).core.engine)


def test_a_registry_of_another_ledger_is_not_used(settings: Settings, registry: FaultyRegistry) -> None:
    registry.owned_by = "another"
    before = dict(registry.named)

    with TestClient(create_app(settings, registry=registry), base_url=BASE_URL) as client:
        wait_until(lambda: client.get("/healthz").status_code == 503)
        said = client.get("/readyz").text

    assert "the registry's models are those of ledger another" in said
    assert registry.named == before
    assert registry.owned_by == "another"


def test_a_registry_that_is_away_keeps_no_service_from_its_players(serve: Serve, registry: FaultyRegistry) -> None:
    registry.down = True

    with serve() as client:
        play(client, start(client)["game_id"])

    assert registry.owned_by is None


@pytest.mark.parametrize("content", [b"", b"no key at all\n"])
def test_a_damaged_key_keeps_no_service_from_its_players(serve: Serve, data_dir: Path, content: bytes) -> None:
    (data_dir / "seal.key").write_bytes(content)

    with serve() as client:
        play(client, start(client)["game_id"])


def test_a_job_that_lacks_its_key_is_named_and_the_service_plays(
    settings: Settings, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SEAL_SECONDS", 0.2)
    core = open_core(settings, registry=registry)
    core.open_sealer()
    core.close()
    (settings.data_dir / "seal.key").unlink()

    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: "seal" in client.get("/healthz").json()["failing_jobs"])

        assert "seal.key" in client.get("/healthz").json()["failing_jobs"]["seal"]
        assert client.get("/healthz").status_code == 200
        assert client.post("/start_game", json={"policy": "brian"}).status_code == 200


def test_what_was_played_here_is_folded_without_a_catch_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as client:
        base = service_behind(client).base
        base.families.start()
        monkeypatch.setattr(Projector, "advance", lambda *_: False)
        game_id = start(client, "brian")["game_id"]
        play(client, game_id, "rock")

        assert base.ledger.head().position > 1
        wait_until(lambda: base.families.position == base.ledger.head().position)
