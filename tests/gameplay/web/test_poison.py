"""An event that cannot be read, where a client meets it: every answer names its position, and none is a 500."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.app import create_app
from ledger.engines.database import open_engine
from ledger.guards import SQLITE as TRIGGERS
from ledger.store import Ledger
from tests.builders import game_finished
from tests.gameplay.conftest import Serve
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import HISTORY_PATH, ok, play, service_behind, start, wait_until
from tests.projections.stories import append, insert_raw

OF_THE_HEAD = ("/metrics", "/metrics?scope=ledger", HISTORY_PATH, "/internal/promotion/event_totals")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The service's database, as another process has it open."""
    engine = open_engine(settings.database_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("kind", ["unreadable", "misfit"])
def test_a_poison_event_is_named_by_every_answer_now_and_after_a_restart(
    serve: Serve, settings: Settings, registry: FaultyRegistry, engine: Engine, kind: str
) -> None:
    with serve() as client:
        ledger = Ledger(engine)
        if kind == "unreadable":
            position = insert_raw(ledger, "game.finished", b"{}")
        else:
            position = append(ledger, game_finished(game_id="none")).last_position
        assert_named(client, position)

    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: service_behind(client).core.read_models.projector.failure is not None)
        assert_named(client, position)


def assert_named(client: TestClient, position: int) -> None:
    """Every answer that needs the fold says where it stopped, and no answer says to wait for a replay."""
    stopped = f"stopped at position {position} "
    for path in OF_THE_HEAD:
        response = client.get(path)
        assert (response.status_code, path) == (503, path)
        assert stopped in response.json()["detail"]
    response = client.post("/start_game", json={"policy": "brian"})
    assert response.status_code == 503
    assert stopped in response.json()["detail"]
    assert stopped in client.get("/readyz").json()["missing"][0]
    assert client.get("/metrics?scope=process").status_code == 200


DAMAGES = {
    "its payload": "payload = x'7b7d'",
    "its type": "type = 'game.resumed'",
    "its schema version": "schema_version = 99",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_event_of_a_game_stops_that_game_alone(serve: Serve, engine: Engine, what: str) -> None:
    with serve() as client:
        damaged, sound = start(client)["game_id"], start(client)["game_id"]
        play(client, damaged)
        play(client, sound)
        projector = service_behind(client).core.read_models.projector
        projector.catch_up()
        assert projector.save(every=1)  # at the head, so that the next start folds none of them
    position = damage(engine, f"game-{damaged}", DAMAGES[what])

    with serve() as client:
        for response in (
            client.post("/play", json={"game_id": damaged, "user_move": "rock"}),
            client.get("/round_points", params={"game_id": damaged}),
        ):
            assert response.status_code == 409
            assert f"at position {position} " in response.json()["detail"]
            assert "start another" in response.json()["detail"]
        assert play(client, sound)["round"] == 2
        assert ok(client.get("/readyz"))["ready"]


def damage(engine: Engine, stream: str, change: str) -> int:
    """Change the newest event of a stream as a fault of the disk would; its position."""
    with engine.begin() as connection:
        where = f"position = (SELECT max(position) FROM events WHERE stream = '{stream}')"
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql(f"UPDATE events SET {change} WHERE {where}")
        connection.exec_driver_sql(TRIGGERS["events_refuse_update"])
        return int(
            connection.exec_driver_sql(f"SELECT max(position) FROM events WHERE stream = '{stream}'").scalar_one()
        )


def test_a_start_that_failed_says_so_wherever_the_head_is_needed(
    settings: Settings, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: object) -> None:
        raise RuntimeError("a bug of the fold")

    monkeypatch.setattr("projections.projector.Projector.start", refuse)
    with TestClient(create_app(settings, registry=registry)) as client:
        wait_until(lambda: client.get("/healthz").status_code == 503)
        for path in OF_THE_HEAD:
            response = client.get(path)
            assert response.status_code == 503
            assert "a bug of the fold" in response.json()["detail"]
