"""One real service and one real Prometheus for all tests here, after games, trainings, cycles and a swap."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from gameplay.client.simulate import ScriptedPlayer, connect
from gameplay.observability.alerts.prometheus import rule_file
from gameplay.observability.provisioning.scraping import RULE_FILE, prometheus_file
from gameplay.observability.site import PROCESS_JOB
from ledger.engines.database import open_engine
from ledger.events import TrainingCompleted
from ledger.store import Ledger
from ledger.streams import training_stream
from ledger.vocabulary import POLICIES, Opponent
from projections.metrics.series import LEDGER_JOB
from scripts.ports import free_ports
from tests.builders import fell_back, parity_checked
from tests.programs import require
from tests.prometheus.facts import Facts, Key
from tests.prometheus.processes import RPS, clean_environment, get, post, run, running, wait_for

SETUP_GAMES = 250
GAMES_AGAINST_EACH = 12
OPPONENTS: tuple[Opponent, ...] = (*POLICIES, "ace")
SCRAPE = "1s"


class Live(NamedTuple):
    """The two servers, the facts, and a time at which Prometheus has seen all of them."""

    service: str
    prometheus: str
    facts: Facts
    at: float
    log: Path
    """Both streams of the service, as JSON."""

    def query(self, expression: str) -> dict[Key, float]:
        """Labels -> value at that time; the scrape's own labels are left out."""
        found = ask(self.prometheus, expression, self.at)
        assert found is not None, expression
        assert found["resultType"] in ("vector", "scalar"), f"{expression} gives a {found['resultType']}"
        return {
            tuple(
                sorted((k, v) for k, v in one["metric"].items() if k not in ("__name__", "job", "instance"))
            ): float(one["value"][1])
            for one in found["result"]
        }


def ask(prometheus: str, expression: str, at: float) -> Any:
    """The data of an instant query; None while Prometheus does not answer yet."""
    answer = get(f"{prometheus}/api/v1/query", query=expression, time=f"{at:.3f}")
    return answer and answer["data"]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    program = require("prometheus")
    folder = tmp_path_factory.mktemp("live")
    environment = clean_environment(
        RPS_DATA_DIR=str(folder / "data"), RPS_PROMOTION_SCHEDULE="off", RPS_LOG_FORMAT="json"
    )
    run([RPS, "setup", "--games", str(SETUP_GAMES)], environment)
    # Counters begin now: with a first sample of 0, and read at a scrape, increase() extrapolates nothing.
    since_us = time.time_ns() // 1_000
    since = datetime.fromtimestamp(since_us / 1_000_000, UTC).isoformat()
    port, listen = free_ports(2)
    service, prometheus = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{listen}"
    environment |= {"RPS_PORT": str(port), "METRICS_SINCE_DATE": since}
    with running([RPS, "serve"], folder / "service.log", environment):
        wait_for("ready", lambda: get(f"{service}/readyz"), folder / "service.log")
        with running(_prometheus(program, folder, port, listen), folder / "prometheus.log"):
            seen = _seen(prometheus, 0)
            wait_for("the first scrape", seen, folder / "prometheus.log")
            _live_through(service, folder, environment)
            head = _head(folder)
            at = wait_for("a scrape of everything", _seen(prometheus, head), folder / "prometheus.log")
            yield Live(
                service, prometheus, Facts(folder / "data" / "ledger.db", since_us), at, folder / "service.log"
            )


def _prometheus(program: str, folder: Path, port: int, listen: int) -> list[str]:
    """The command over the generated configuration, which here scrapes and evaluates more often."""
    configuration = prometheus_file(f"127.0.0.1:{port}")
    configuration["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE}
    rules = rule_file()
    rules["groups"][0]["interval"] = SCRAPE
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / RULE_FILE).write_text(yaml.safe_dump(rules))
    return [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{listen}",
        "--log.level=warn",
    ]


def _seen(prometheus: str, position: int) -> Any:
    """A condition: the time of the first scrape that found the ledger at a position or beyond it, and both up."""

    def seen() -> float | None:
        # timestamp() tells a sample's own time of a bare selector alone.
        both = f'count(up{{job=~"{PROCESS_JOB}|{LEDGER_JOB}"}} == 1) == 2'
        reached = f"timestamp(rps_ledger_position) and on () rps_ledger_position >= {position} and on () ({both})"
        found = ask(prometheus, reached, time.time())
        return float(found["result"][0]["value"][1]) if found and found["result"] else None

    return seen


def _head(folder: Path) -> int:
    engine = open_engine(f"sqlite:///{folder / 'data' / 'ledger.db'}")
    position = Ledger(engine).head().position
    engine.dispose()
    return position


def _live_through(service: str, folder: Path, environment: dict[str, str]) -> None:
    """Games over HTTP, a fallback, trainings, a real cycle of every family, and what automations report."""
    report = f"{service}/internal/promotion/report"
    post(report, {"model_type": "xgboost", "decision": "insufficient_data", "reason": "too few games"})
    with connect(service) as client:
        player = ScriptedPlayer(client, "cal", seed=1)
        for opponent in OPPONENTS:
            for _ in player.games(opponent, GAMES_AGAINST_EACH):
                pass
    post(f"{service}/start_game", {"policy": "brian"})
    _from_elsewhere(folder)
    for family, seconds in (("xgboost", 42.0), ("multinomial_logistic", 200.0)):
        trained = {"model_type": family, "status": "success", "duration_seconds": seconds}
        post(f"{service}/internal/training/complete", trained)
    post(f"{service}/internal/training/complete", {"model_type": "feedforward_nn", "status": "failure"})
    run([RPS, "promote"], environment)
    swap = {"model_type": "feedforward_nn", "decision": "swap_production_b", "z_statistic": 2.1, "p_value": 0.018}
    post(report, swap | {"reason": "B is better"})
    ranked = [
        {"alias": alias, "rank": rank, "source_alias": source, "accuracy": 0.4, "total_predictions": 50}
        for rank, (alias, source) in enumerate(
            [("B", "shadow1"), ("shadow1", "B"), ("shadow2", "shadow2")], start=1
        )
    ]
    retain = {"model_type": "multinomial_logistic", "decision": "retain_production", "z_statistic": 0.5}
    post(report, retain | {"p_value": 0.31, "reorder_applied": True, "alias_rankings": ranked})


def _from_elsewhere(folder: Path) -> None:
    """Another process appends two fallbacks and a parity check: the service folds whatever is in the ledger."""
    engine = open_engine(f"sqlite:///{folder / 'data' / 'ledger.db'}")
    fallen = [
        fell_back(model_type="xgboost", alias="B", reason="load_error", game_id="elsewhere"),
        fell_back(model_type="xgboost", alias="shadow2", reason="minio_miss", game_id="elsewhere"),
    ]
    ledger = Ledger(engine)
    ledger.append("shadow-elsewhere", fallen, 0)
    trained = ledger.decode(ledger.read_stream(training_stream("xgboost"))[0])
    assert isinstance(trained, TrainingCompleted)
    assert trained.model_version is not None
    ledger.record(parity_checked(model_type="xgboost", version=trained.model_version, run_id=trained.run_id))
    engine.dispose()
