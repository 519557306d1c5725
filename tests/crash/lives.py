"""A real `rps serve` that lives, is killed and lives again, under players who remember every answer."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.models.registry import MlflowRegistry
from ledger.engines.database import open_reader
from ledger.events import AliasesPlanned, AliasPinned, GameStarted, PlanApproved, PlanRejected, RoundPlayed
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.verification.audit import audit
from ledger.vocabulary import FAMILIES, MOVES, POLICIES, Family
from projections.metrics.exposition import Exposition
from projections.read_models.all import ReadModels
from scripts.children import Child
from scripts.ports import free_port
from tests.crash.deliveries import Deliveries
from tests.gameplay.serving.receivers import Receiver
from tests.gameplay.web_clients import ok, sample_values
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
PLAYERS = 3
READY_SECONDS_MAX = 240.0
COMMAND_SECONDS_MAX = 600.0
"""A training fits models of full size."""
DELIVERED_SECONDS_MAX = 150.0
"""The process that was killed has a lease for half a minute, and what has failed is sent again after a while."""
KEYED = ("swap", "pin", "approve", "reject")
COUNTERS = ("_total", "_bucket", "_count", "_sum")
NEVER = "before an append", 0
"""No moment at all: the process is killed from outside."""
EXITS = range(256)


class Lives:
    """One data folder, the processes over it, and what callers were told."""

    def __init__(self, data_dir: Path, receiver: Receiver | None = None) -> None:
        self.settings = Settings(data_dir=data_dir)
        self.port = free_port()
        self.rounds: dict[tuple[str, int], dict[str, Any]] = {}
        """Game and round -> the answer."""
        self.games: set[str] = set()
        self.kills = 0
        self.keys: set[str] = set()
        """Of the orders that were acknowledged."""
        self._receiver = receiver
        self._ordered = 0
        self._registry = MlflowRegistry(self.settings.mlflow_tracking_uri, make=False)
        self._series: dict[str, float] = {}
        self._lock = threading.Lock()

    # What happens.

    @contextmanager
    def served(self, moment: tuple[str, int] = NEVER) -> Iterator[Child]:
        """A service that is ready, or that has met its moment on the way; killed at the end if it is not dead."""
        name, expected = f"the service of life {self.kills + 1}", killed_by_itself(moment)
        with self._process(moment, "serve") as process:
            try:
                self._await_ready(process)
                process.check(name, *expected)
                yield process
            finally:
                process.kill()
                process.wait()
                self.kills += 1
                # Players take a service that is gone for one that was killed: an end of another kind is told here.
                process.check(name, *expected)

    def run(self, moment: tuple[str, int], *command: str, data_dir: Path | None = None) -> int:
        """A command of the product, to its end or its moment; its exit code, -9 when it was killed."""
        with self._process(moment, *command, data_dir=data_dir) as process:
            code = process.wait(COMMAND_SECONDS_MAX)
            process.check(" ".join(command), *EXITS, *killed_by_itself(moment))
        self.kills += code == -signal.SIGKILL
        return code

    def order(self, moment: tuple[str, int], name: str, family: Family, key: str | None = None) -> int:
        """As `run`, for one of ORDERS."""
        key = key or self.new_key()
        code = self.run(moment, name, family, key)
        if code == 0 and name in KEYED:
            self.keys.add(key)
        return code

    def new_key(self) -> str:
        """A key that no other order has."""
        self._ordered += 1
        return f"order {self._ordered}"

    @contextmanager
    def played(self, process: Child) -> Iterator[None]:
        """Players and a scraper, at work until the service is gone."""
        people = [threading.Thread(target=self._play, args=(number,)) for number in range(PLAYERS)]
        people.append(threading.Thread(target=self._scrape))
        for one in people:
            one.start()
        try:
            yield
        finally:
            process.kill()
            for one in people:
                one.join()

    def _play(self, number: int) -> None:
        policy, move = POLICIES[number % len(POLICIES)], MOVES[number % len(MOVES)]
        with self.client() as client, suppress(httpx2.TransportError):
            while True:
                game_id = answered(client, "/start_game", {"policy": policy})["game_id"]
                with self._lock:
                    self.games.add(game_id)
                round_no, is_finished = 1, False
                while not is_finished:
                    body = {"game_id": game_id, "user_move": move, "round": round_no}
                    answer = answered(client, "/play", body)
                    with self._lock:
                        self.rounds[game_id, round_no] = answer
                    round_no, is_finished = round_no + 1, answer["finished"]

    def _scrape(self) -> None:
        with self.client() as client, suppress(httpx2.TransportError):
            while True:
                answer = client.get("/metrics", params={"scope": "ledger"})
                if answer.status_code == 200:  # a service that ends answers by 503
                    self.see(sample_values(answer.text))

    # What must hold.

    def see(self, series: Mapping[str, float]) -> None:
        """No counter is ever lower than it was, in whatever process."""
        fallen = {
            name: (self._series[name], value)
            for name, value in series.items()
            if name.split("{")[0].endswith(COUNTERS) and value < self._series.get(name, 0.0)
        }
        missing = self._series.keys() - series.keys()
        assert not fallen, f"counters that went back: {fallen}"
        assert not {name for name in missing if name.split("{")[0].endswith(COUNTERS)}, missing
        self._series = dict(series)

    def check_log(self) -> None:
        """The ledger as the kill has left it: intact, with everything acknowledged once and nothing torn."""
        engine = open_reader(self.settings.database_url)
        try:
            ledger = Ledger(engine)
            report = audit(ledger)
            assert not report.findings, report.findings
            started, rounds = _told(ledger)
            keys = _keys(ledger)
            if self._receiver is not None:
                Deliveries(ledger, self._receiver).check()
        finally:
            engine.dispose()
        assert self.games <= started, "a game that was answered is lost"
        assert self.keys <= keys.keys(), "an order that was acknowledged is lost"
        assert set(keys.values()) <= {1}, f"orders that were carried out twice: {keys}"
        lost = {key for key in self.rounds if rounds.get(key) is None}
        assert not lost, f"rounds that were answered are lost: {lost}"
        for key, answer in self.rounds.items():
            assert rounds[key] == (answer["user_move"], answer["bot_move"]), key

    def check_service(self) -> None:
        """A service that starts after the kill: what it shows is a replay, and the registry has its aliases."""
        with self.served() as process, self.client() as client:
            process.check("the service that started after a kill")
            self._await_agreement()
            self._check_retries(client)
            shown = sample_values(client.get("/metrics", params={"scope": "ledger"}).raise_for_status().text)
            self.see(shown)
            assert shown == _replayed(self.settings)

    def check_deliveries(self) -> None:
        """A service that starts now sends what has not arrived: nothing is left out."""
        assert self._receiver is not None
        with self.served():
            deadline = time.monotonic() + DELIVERED_SECONDS_MAX
            engine = open_reader(self.settings.database_url)
            try:
                deliveries = Deliveries(Ledger(engine), self._receiver)
                while not deliveries.are_complete():
                    assert time.monotonic() < deadline, "promotion events have not arrived"
                    time.sleep(0.2)
                deliveries.check()
            finally:
                engine.dispose()

    def _await_agreement(self) -> None:
        """A start completes what a kill has left half-done, and looks at the registry after that."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while (registry := self._registry_aliases()) != (ledger := self._ledger_aliases()):
            assert time.monotonic() < deadline, f"the registry has {registry}, and the ledger {ledger}"
            time.sleep(0.1)

    def _check_retries(self, client: httpx2.Client) -> None:
        """The last answers are given again; the newest of each policy speak for the others."""
        for (game_id, round_no), answer in list(self.rounds.items())[-PLAYERS * 3 :]:
            body = {"game_id": game_id, "user_move": answer["user_move"], "round": round_no}
            again = answered(client, "/play", body)
            assert again == answer

    def _registry_aliases(self) -> dict[Family, dict[Any, int]]:
        return {family: self._registry.aliases(family) for family in FAMILIES}

    def _ledger_aliases(self) -> dict[Family, dict[Any, int]] | None:
        engine = open_reader(self.settings.database_url)
        try:
            read_models = ReadModels(Ledger(engine), read_only=True)
            with read_models.projector.current():
                families = read_models.standings.state.families
                plans = [families[family].plan for family in FAMILIES]
                is_open = any(plan is not None and not plan.waits for plan in plans)
                return None if is_open else {family: dict(families[family].aliases) for family in FAMILIES}
        finally:
            engine.dispose()

    # Processes.

    def client(self) -> httpx2.Client:
        """A caller of the service."""
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_SECONDS)

    @contextmanager
    def _process(self, moment: tuple[str, int], *command: str, data_dir: Path | None = None) -> Iterator[Child]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RPS_")},
            **({"RPS_WEBHOOK_URL": self._receiver.url} if self._receiver else {}),
            "PYTHONFAULTHANDLER": "1",  # an end by SIGSEGV leaves its threads' stacks in the log
            "RPS_DATA_DIR": str(data_dir or self.settings.data_dir),
            "RPS_PORT": str(self.port),
            "RPS_PROMOTION_SCHEDULE": "off",
        }
        arguments = [sys.executable, "-m", "tests.crash.killed", moment[0], str(moment[1]), *command]
        log = self.settings.data_dir.with_suffix(".log")
        with (
            log.open("ab") as written,
            Child(arguments, cwd=ROOT, env=environment, stdout=written, stderr=written) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def _await_ready(self, process: Child) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        with self.client() as client:
            while process.poll() is None:
                with suppress(httpx2.TransportError):  # it does not listen yet, or has met its moment
                    if client.get("/readyz").status_code == 200:
                        return
                assert time.monotonic() < deadline, "the service did not become ready"
                time.sleep(0.05)


def killed_by_itself(moment: tuple[str, int]) -> list[int]:
    """The status of a process that meets its moment."""
    return [] if moment == NEVER else [-signal.SIGKILL]


def answered(client: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request, which is sent again for as long as the service has no time for it."""
    while (response := client.post(path, json=body)).status_code == 503:
        time.sleep(0.1)
    return dict(ok(response))


def _told(ledger: Ledger) -> tuple[set[str], dict[tuple[str, int], tuple[str, str]]]:
    """The games that were started, and the moves of each round: a round that is there twice is an error."""
    started: set[str] = set()
    rounds: dict[tuple[str, int], tuple[str, str]] = {}
    for page in ledger.pages():
        for entry in page:
            match ledger.decode(entry):
                case GameStarted(game_id=game_id):
                    started.add(game_id)
                case RoundPlayed() as played:
                    key = played.game_id, played.round
                    assert key not in rounds, f"played twice: {key}"
                    rounds[key] = played.user_move, played.bot_move
    return started, rounds


def _keys(ledger: Ledger) -> Counter[str]:
    """Key -> how often an order was written under it."""
    ordered = (AliasesPlanned, AliasPinned, PlanApproved, PlanRejected)
    found = (ledger.decode(entry) for family in FAMILIES for entry in ledger.read_stream(promotion_stream(family)))
    return Counter(event.key for event in found if isinstance(event, ordered) and event.key is not None)


def _replayed(settings: Settings) -> dict[str, float]:
    """The series as a replay of the whole ledger gives them, without any snapshot."""
    engine = open_reader(settings.database_url)
    try:
        read_models = ReadModels(Ledger(engine), since_us=settings.metrics_since_us, read_only=True)
        return sample_values(Exposition(read_models, CollectorRegistry()).render(scope="ledger").decode())
    finally:
        engine.dispose()
