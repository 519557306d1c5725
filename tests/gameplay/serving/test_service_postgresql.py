"""The service on PostgreSQL: it plays, decides and restarts as on a file, and says so while the server is away."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.game.players import known_as
from gameplay.promotion.planning import cycle
from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.copying import copy_ledger
from tests.disks import small_disk
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import HISTORY_PATH, ok, play, play_on, service_behind, start
from tests.postgresql import Server

FREE_BYTES = 64 * 1024
GAMES_MAX = 1_000
"""More than there is room for in so little."""


@pytest.fixture
def settings(data_dir: Path, postgresql: Server) -> Iterator[Settings]:
    """The prepared folder, whose ledger has moved to a server."""
    with postgresql.ledger() as url:
        file = data_dir / "ledger.db"
        with disposing(open_engine(f"sqlite:///{file}")) as source, disposing(open_engine(url)) as target:
            copy_ledger(Ledger(source), Ledger(target))
        file.unlink()
        yield Settings(data_dir=data_dir, database_url=url, promotion_schedule=None)


def metrics(client: TestClient) -> str:
    return client.get("/metrics?scope=ledger").text


def test_a_service_restarts_with_what_it_has_answered(serve: Serve, settings: Settings) -> None:
    with serve() as client:
        finished = play_on(client, start(client, player_name="Ada")["game_id"])
        cycle(service_behind(client).core.promotion, "xgboost", trigger="manual", source="tests")
        before, history = metrics(client), ok(client.get(HISTORY_PATH))
    with serve() as client:
        after, same = metrics(client), ok(client.get(HISTORY_PATH))

    assert finished["finished"]
    assert (after, same) == (before, history)
    assert len(history) == 1
    with disposing(open_engine(settings.database_url)) as engine:
        assert audit(Ledger(engine)).intact
        assert len(known_as(engine, "Ada")) == 1
    assert not (settings.data_dir / "ledger.db").exists()


def test_calls_are_answered_by_503_while_the_server_is_away(
    serve: Serve, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Ledger.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "resend_seconds", 0.2)
    with serve() as client:
        game_id = start(client)["game_id"]
        play(client, game_id)
        postgresql.stop()
        try:
            refused = [
                client.post("/play", json={"game_id": game_id, "user_move": "rock"}),
                client.get("/metrics"),
                client.get("/readyz"),
            ]
            alive = client.get("/healthz")
        finally:
            postgresql.start()
        again = play(client, game_id)
        scraped = client.get("/metrics")
        events = service_behind(client).core.ledger.read_stream(f"game-{game_id}")

    assert [one.status_code for one in refused] == [503] * 3
    assert all("Retry-After" in one.headers for one in refused)
    assert alive.status_code == 200
    assert again["round"] == 2
    assert scraped.status_code == 200
    assert [entry.type for entry in events].count("game.round_played") == 2


def test_calls_are_answered_by_503_while_the_server_s_disk_is_full(
    serve: Serve, settings: Settings, postgresql: Server
) -> None:
    name = settings.database_url.rpartition("/")[2]
    with postgresql.connect(name) as connection:
        (size,) = connection.execute("SELECT pg_table_size('events')").fetchone() or (0,)
    folder = postgresql.folder / "small"
    folder.mkdir()
    with small_disk(folder, size + FREE_BYTES) as disk:
        place = folder / "tablespace"
        place.mkdir(mode=0o700)
        shutil.chown(place, postgresql.data.owner())
        postgresql.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        postgresql.execute("ALTER TABLE events SET TABLESPACE small", database=name)
        try:
            with serve() as client:
                begun, refused = start_until_refused(client)
                disk.grow(2 * (size + FREE_BYTES))
                again = play(client, start(client)["game_id"])
                kept = service_behind(client).core.ledger
                stored = [game_id for game_id in begun if kept.version(f"game-{game_id}")]
                report = audit(kept)
        finally:
            postgresql.execute("ALTER TABLE events SET TABLESPACE pg_default", database=name)
            postgresql.execute("DROP TABLESPACE small")
    folder.rmdir()

    assert "disk full: make room where the database lies" in refused.json()["detail"]
    assert "Retry-After" in refused.headers
    assert again["round"] == 1
    assert stored == begun
    assert report.intact


def start_until_refused(client: TestClient) -> tuple[list[str], Response]:
    """The games that were started, and the answer to the first that was not."""
    begun: list[str] = []
    while (answer := client.post("/start_game", json={"policy": "brian"})).status_code == 200:
        begun.append(answer.json()["game_id"])
        assert len(begun) < GAMES_MAX, "the disk is large"
    assert answer.status_code == 503, answer.text
    return begun, answer
