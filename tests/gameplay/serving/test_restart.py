"""A real `rps serve`, killed without a warning: what was answered stays, and every ledger series with it."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from gameplay.cli import rps
from gameplay.config import Settings
from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.vocabulary import FAMILIES, MOVES, POLICIES
from projections.metrics.exposition import Exposition
from projections.read_models.all import ReadModels
from scripts.children import Child, EndedError
from scripts.ports import free_port
from tests.gameplay.web_clients import ok, play, play_on, sample_values, samples, start
from tests.patience import PATIENCE_SECONDS

RPS = Path(sys.executable).with_name("rps")


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def service(data_dir: Path, port: int, end: signal.Signals = signal.SIGKILL) -> Iterator[httpx2.Client]:
    """A process of its own, killed at the end."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RPS_")},
        "RPS_DATA_DIR": str(data_dir),
        "RPS_PORT": str(port),
        "RPS_PROMOTION_SCHEDULE": "off",
        # No server listens there: the service must do without its registry.
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    }
    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client,
        (data_dir / "serve.log").open("w") as log,
        Child([RPS, "serve"], env=environment, stderr=log) as process,
    ):
        try:
            try:
                process.wait_until("the service", lambda: is_ready(client), PATIENCE_SECONDS)
            except (EndedError, TimeoutError) as error:
                error.add_note((data_dir / "serve.log").read_text())
                raise
            yield client
            process.check("the service")
        finally:
            process.send_signal(end)
            process.wait()


def is_ready(client: httpx2.Client) -> bool:
    with suppress(httpx2.TransportError):  # it does not listen yet
        return client.get("/readyz").status_code == 200
    return False


class Visitor(threading.Thread):
    """Plays game after game until the service is gone, and remembers every answer."""

    def __init__(self, client: httpx2.Client, number: int) -> None:
        super().__init__()
        self.answers: list[dict[str, Any]] = []
        self._client = client
        self._policy = POLICIES[number % len(POLICIES)]
        self.move = MOVES[number % len(MOVES)]

    def run(self) -> None:
        with suppress(httpx2.TransportError):
            while True:
                game_id = start(self._client, self._policy)["game_id"]
                round_no, finished = 1, False
                while not finished:
                    answer = play(self._client, game_id, self.move, round=round_no)
                    self.answers.append(answer)
                    round_no, finished = round_no + 1, answer["finished"]


def test_kill_9_loses_nothing_that_was_answered_and_changes_no_series(data_dir: Path, port: int) -> None:
    with service(data_dir, port) as client:
        visitors = [Visitor(client, number) for number in range(3)]
        for visitor in visitors:
            visitor.start()
        while min(len(visitor.answers) for visitor in visitors) < 40:
            time.sleep(0.01)
    for visitor in visitors:
        visitor.join()

    with service(data_dir, port) as client:
        for visitor in visitors:
            for answer in visitor.answers:
                again = play(client, answer["game_id"], answer["user_move"], round=answer["round"])
                assert again == answer
            last = visitor.answers[-1]
            if not last["finished"]:
                # The next move was under way at the kill: it may be durable, and even the game's last one.
                last = play(client, last["game_id"], visitor.move, round=last["round"] + 1)
            if not last["finished"]:
                assert play_on(client, last["game_id"])["finished"]
        left_open = start(client)["game_id"]
        played = [play(client, left_open, "paper", round=number) for number in range(1, 6)]
        before = samples(client)

    assert before == replayed(data_dir)

    with service(data_dir, port, end=signal.SIGSEGV) as client:
        after = samples(client)
        assert {name: after.get(name) for name in before} == before
        assert after == before
        assert before["rps_active_games"] >= 1
        assert [play(client, left_open, "paper", round=number) for number in range(1, 6)] == played
        assert play(client, left_open, "paper")["round"] == 6
        simulate(port)
        promote(port)
        won = 'rps_games_total{difficulty="standard",policy="forrest"}'
        assert samples(client)[won] == before[won] + 2
        assert ok(client.get("/readyz"))["ready"]
    # Of the stacks no line is certain: they are written while the other threads run on.
    assert "Fatal Python error: Segmentation fault" in (data_dir / "serve.log").read_text()


def replayed(data_dir: Path) -> dict[str, float]:
    """The series as a replay of the whole ledger gives them, without any snapshot."""
    settings = Settings(data_dir=data_dir)
    engine = open_engine(settings.database_url)
    read_models = ReadModels(Ledger(engine), since_us=settings.metrics_since_us)
    body = Exposition(read_models, CollectorRegistry()).render(scope="ledger")
    engine.dispose()
    return sample_values(body.decode())


def promote(port: int) -> None:
    words = ["promote", "--url", f"http://127.0.0.1:{port}", "--key", "nightly", "--reason", "a test", "--json"]
    first, again = (CliRunner().invoke(rps, words) for _ in range(2))
    assert first.exit_code == 0, first.output
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    # What is decided depends on how many games the kill has let the visitors finish.
    assert [(row["model_type"], row["source"]) for row in rows] == [(family, "a test") for family in FAMILIES]
    assert again.stdout == first.stdout


def simulate(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    result = CliRunner().invoke(rps, ["simulate", "--user", "cal", "--games", "2", "--json", "--url", url])
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2
