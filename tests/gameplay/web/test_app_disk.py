"""The service on a disk that refuses what is written: what callers are told, and that it goes on afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from ledger.engines.sqlite import file_of
from tests.disks import files_of_at_most
from tests.gameplay.web_clients import REPORT_PATH, history, ok, play, service_behind, start, state

REPORT = {"model_type": "xgboost", "decision": "retain_production"}


@contextmanager
def failing_disk(client: TestClient) -> Iterator[None]:
    engine = service_behind(client).core.engine
    with files_of_at_most(file_of(engine.url).with_name("ledger.db-wal").stat().st_size):
        yield


def test_a_disk_that_fails_is_503_leaves_nothing_and_keeps_no_reader(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    first = play(served, game_id, round=1)
    before = state(served)
    move = {"game_id": game_id, "user_move": "rock", "round": 2}
    writes: list[tuple[str, dict[str, object]]] = [
        ("/start_game", {"policy": "forrest"}),
        ("/play", move),
        (REPORT_PATH, {**REPORT}),
    ]

    with failing_disk(served):
        for path, body in writes:
            refused = served.post(path, json=body, headers={"Idempotency-Key": "k"})
            assert refused.status_code == 503, f"{path}: {refused.text}"
            assert "I/O" in refused.json()["detail"]
        assert play(served, game_id, round=1) == first
        assert state(served) == before
        assert served.get("/healthz").status_code == 200

    assert ok(served.post("/play", json=move))["round"] == 2
    assert ok(served.post(REPORT_PATH, json=REPORT, headers={"Idempotency-Key": "k"}))
    assert [row["decision"] for row in history(served)] == ["retain_production"]
