"""Predictions beside the games: on streams of their own, counted, deciding nothing, delaying no answer."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Protocol

import anyio.to_thread
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from gameplay.config import SettingError, Settings, read_settings
from gameplay.game.games import Prediction, Step
from gameplay.game.policies import UNIFORM
from gameplay.game.rules import assigned_alias, is_cross_family
from gameplay.promotion import planning
from gameplay.serving import cross_family
from gameplay.serving.cross_family import CrossFamily
from gameplay.serving.play import Row
from gameplay.serving.tracking import Draws, set_tracking, settings_in
from ledger.errors import StorageError
from ledger.events import Assignment, CrossFamilySet, InferenceFellBack, PredictionMade
from ledger.store import Ledger
from ledger.streams import promotion_stream, shadow_stream
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from ledger.writer import Writer
from projections.audit.counterfactual import Change
from projections.audit.decisions import check_decisions
from projections.audit.what_if import what_if
from projections.read_models.all import ReadModels
from tests.builders import aliases_assigned, cross_family_set, game_started, prediction_made
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import play, play_on, samples, service_behind, start, wait_until
from tests.patience import PATIENCE_SECONDS

GAMES = ("g1", "g2")
ROW: Row = np.zeros(50, np.float32)
OTHERS: tuple[Family, ...] = ("feedforward_nn", "multinomial_logistic")


class Track(Protocol):
    """The service, predicting beside every game unless other settings are given."""

    def __call__(self, **settings: Any) -> AbstractContextManager[TestClient]: ...


@pytest.fixture
def tracking(serve: Serve, settings: Settings) -> Track:
    return lambda **changes: serve(replace(settings, **{"cross_family_share": 1.0, **changes}))


def shadow(client: TestClient, game_id: str) -> list[Any]:
    ledger = service_behind(client).core.ledger
    return [ledger.decode(entry) for entry in ledger.read_stream(shadow_stream(game_id))]


def caught_up(client: TestClient, game_id: str, rounds: int) -> bool:
    return len(shadow(client, game_id)) == rounds * len(OTHERS) * len(ALIASES)


def predictions(client: TestClient) -> dict[str, float]:
    return {name: value for name, value in samples(client).items() if "predictions_by_alias" in name}


def records(client: TestClient) -> dict[Family, dict[int, int]]:
    read_models = service_behind(client).core.read_models
    with read_models.projector.current():
        families = read_models.standings.state.families
        return {
            family: {version: record.predictions for version, record in families[family].records.items()}
            for family in FAMILIES
        }


@contextmanager
def held(client: TestClient) -> Iterator[None]:
    """The read models stand still, so that no thread can look at the aliases."""
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with service_behind(client).core.read_models.projector.current():
            taken.set()
            let_go.wait(PATIENCE_SECONDS)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        let_go.set()
        holder.join()


def dropped(client: TestClient, reason: str) -> float:
    return samples(client, "process")[f'rps_cross_family_dropped_total{{reason="{reason}"}}']


def test_all_twelve_models_predict_each_round_of_a_chosen_game(tracking: Track) -> None:
    with tracking() as client:
        game_id = start(client)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
        wait_until(lambda: caught_up(client, game_id, model_rounds))

        made = shadow(client, game_id)

        assert all(isinstance(event, PredictionMade) and not event.served for event in made)
        assert Counter((event.model_type, event.alias) for event in made) == {
            (family, alias): model_rounds for family in OTHERS for alias in ALIASES
        }
        assert [event.round for event in made] == sorted(event.round for event in made)
        assert all(event.actual == "rock" and event.correct == (event.predicted == "rock") for event in made)
        counted = predictions(client)
        for family in FAMILIES:
            for alias in ALIASES:
                name = f'rps_model_predictions_by_alias_total{{alias="{alias}",model="{family}"}}'
                assert counted[name] == model_rounds


def test_a_running_service_follows_what_is_set_from_the_next_game_on(tracking: Track) -> None:
    with tracking(cross_family_share=0.0) as client:
        ledger = service_behind(client).core.ledger
        before = start(client)["game_id"]
        set_tracking(ledger, cross_family_set(share=1.0))
        after = start(client)["game_id"]
        set_tracking(ledger, cross_family_set(share=0.0))
        narrowed = start(client)["game_id"]
        for game_id in (before, narrowed):
            play_on(client, game_id)
        model_rounds = play_on(client, after)["round"] - 3
        wait_until(lambda: caught_up(client, after, model_rounds))  # in turn: the others were looked at before

        assert shadow(client, before) == shadow(client, narrowed) == []


def test_a_start_records_what_its_settings_ask_for_once(tracking: Track) -> None:
    for _ in range(2):
        with tracking(cross_family_share=0.25, cross_family_for=frozenset({"bot", "human"})) as client:
            ledger = service_behind(client).core.ledger
            recorded = [event for _, event in settings_in(ledger)]
            wanted = CrossFamilySet(share=0.25, players=("human", "bot"), actor=None, reason=None)
            assert recorded == [wanted]


def test_what_is_predicted_beside_a_game_ranks_no_version(tracking: Track) -> None:
    with tracking() as client:
        game_id = start(client)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
        wait_until(lambda: caught_up(client, game_id, model_rounds))

        found = records(client)

    assert {version: found["xgboost"][version] for version in (1, 2, 3, 4)} == dict.fromkeys(
        (1, 2, 3, 4), model_rounds
    )
    assert not any(found[family] for family in OTHERS)


def test_an_audit_counts_as_the_ranking_did(tracking: Track) -> None:
    with tracking(promotion_minimum_games=1, promotion_alpha="0.000001") as client:
        service = service_behind(client)
        played: Counter[str] = Counter()
        while played.keys() != {"Production", "B"} or not played.total() >= 4:
            game = start(client)
            played[game["bot_model_alias"]] += 1
            play_on(client, game["game_id"])
        beside = start(client, policy="brian")["game_id"]
        model_rounds = play_on(client, beside)["round"] - 3
        wait_until(lambda: caught_up(client, beside, model_rounds))

        decided = planning.cycle(service.core.promotion, "xgboost", trigger="manual", source="test")

        assert decided is not None
        assert decided.ranking[0].predictions == records(client)["xgboost"][2]
        assert check_decisions(service.core.ledger).agrees
        assert not any(cycle.differs for one in what_if(service.core.ledger, Change()) for cycle in one.cycles)


@pytest.mark.parametrize(
    ("changes", "sat_down"),
    [
        ({"cross_family_share": 0.0}, {}),
        ({"cross_family_for": frozenset({"bot", "script"})}, {}),
        ({"cross_family_for": frozenset({"human"})}, {"player_name": "cal"}),
        ({}, {"policy": "gus"}),
    ],
    ids=["share of none", "no people", "no bots", "a scripted opponent"],
)
def test_other_games_are_left_alone(tracking: Track, changes: dict[str, Any], sat_down: dict[str, Any]) -> None:
    with tracking(**changes) as client:
        game_id = start(client, **sat_down)["game_id"]
        play_on(client, game_id)
        streams = [service_behind(client).core.ledger.version(shadow_stream(game_id))]

    assert streams == [0]


def test_a_test_game_is_predicted_and_excluded_from_metrics(tracking: Track) -> None:
    with tracking() as client:
        game_id = start(client, mark_test_game=True)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
        wait_until(lambda: caught_up(client, game_id, model_rounds))

        assert not any(predictions(client).values())


def test_a_stream_that_another_process_has_begun_is_carried_on(tracking: Track) -> None:
    with tracking() as client:
        game_id = start(client)["game_id"]
        elsewhere = prediction_made(game_id=game_id, model_type="feedforward_nn", round=4, served=False)
        service_behind(client).core.ledger.append(shadow_stream(game_id), [elsewhere], 0)
        for _ in range(4):
            play(client, game_id)

        wait_until(lambda: len(shadow(client, game_id)) == 1 + len(OTHERS) * len(ALIASES))


def test_answers_do_not_wait_for_the_other_families(tracking: Track) -> None:
    with tracking() as client:
        game_id = start(client)["game_id"]
        with held(client):
            ended = play_on(client, game_id)  # while no thread can look at the aliases

        wait_until(lambda: caught_up(client, game_id, ended["round"] - 3))
        # A batch is timed once its append has been answered, which is later than others see it.
        wait_until(lambda: samples(client, "process")["rps_cross_family_seconds_count"] == ended["round"] - 3)


def test_its_metrics_are_there_from_the_first_scrape(served: TestClient) -> None:
    found = samples(served, "process")

    assert {
        found[f'rps_cross_family_dropped_total{{reason="{one}"}}'] for one in ("full", "failed", "closed")
    } == {0}
    assert found["rps_cross_family_waiting"] == found["rps_cross_family_waiting_bytes"] == 0
    assert found["rps_cross_family_seconds_count"] == 0


class Predicting:
    """A predictor that a test holds, breaks, or leaves without one version."""

    def __init__(self) -> None:
        self.reached, self.free = threading.Event(), threading.Event()
        self.free.set()
        self.error: BaseException | None = None
        self.missing: tuple[Family, Alias] | None = None

    def predict(self, family: Family, assignment: Assignment | None, row: Row) -> tuple[Prediction, ...]:
        assert assignment is not None
        assert row.shape == ROW.shape
        self.reached.set()
        assert self.free.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        return tuple(self._one(family, alias, getattr(assignment, alias)) for alias in ALIASES)

    def _one(self, family: Family, alias: Alias, version: int) -> Prediction:
        if (family, alias) == self.missing:
            return Prediction(alias, version, UNIFORM, "rock", "uniform", (Step("minio_miss", "gone"),))
        return Prediction(alias, version, (0.6, 0.2, 0.2), "rock", "model")


class Beside:
    """What predicts beside the games, apart from a service."""

    def __init__(self, tracker: CrossFamily, ledger: Ledger, process: CollectorRegistry) -> None:
        self.tracker = tracker
        self._ledger = ledger
        self._process = process

    def offer(self, game_id: str, rounds: int) -> None:
        for round_no in range(4, 4 + rounds):
            self.tracker.offer(game_started(game_id=game_id, model_type="xgboost"), round_no, ROW, "rock")

    def sample(self, name: str, **labels: str) -> float:
        found = self._process.get_sample_value(f"rps_cross_family_{name}", labels)
        assert found is not None
        return found

    def dropped(self) -> dict[str, float]:
        return {reason: self.sample("dropped_total", reason=reason) for reason in ("full", "failed", "closed")}

    def events(self, game_id: str) -> list[Any]:
        return [self._ledger.decode(entry) for entry in self._ledger.read_stream(shadow_stream(game_id))]

    async def until(self, condition: Callable[[], bool]) -> None:
        await anyio.to_thread.run_sync(wait_until, condition)


def beside(
    ledger: Ledger,
    predicting: Predicting,
    scenario: Callable[[Beside], Awaitable[None]],
    *,
    waiting_max: int = 100,
) -> None:
    """Run a scenario over a ledger whose families have their aliases."""
    for family in FAMILIES:
        ledger.append(promotion_stream(family), [aliases_assigned(model_type=family)], 0)
    ledger.record(cross_family_set(share=1.0))
    for game_id in GAMES:
        ledger.record(game_started(game_id=game_id, model_type="xgboost"))

    async def run() -> None:
        async with Writer(ledger) as writer:
            process = CollectorRegistry()
            families, draws = ReadModels(ledger).families, Draws(ledger)
            tracker = CrossFamily(writer, families, predicting, process, draws=draws, waiting_max=waiting_max)
            tracker.start()
            await scenario(Beside(tracker, ledger, process))
            await tracker.close()

    asyncio.run(run())


def test_a_full_queue_drops_and_counts(ledger: Ledger) -> None:
    predicting = Predicting()

    async def scenario(running: Beside) -> None:
        predicting.free.clear()
        running.offer("g1", 1)
        await running.until(predicting.reached.is_set)
        running.offer("g2", 5)  # one round is in hand, two wait

        assert (running.sample("waiting"), running.dropped()["full"]) == (2, 3)
        assert running.sample("waiting_bytes") > 2 * 200
        predicting.free.set()
        await running.until(lambda: running.sample("waiting") == running.sample("waiting_bytes") == 0)
        await running.until(lambda: len(running.events("g2")) == 2 * len(OTHERS) * len(ALIASES))
        assert running.sample("seconds_count") == 3

    beside(ledger, predicting, scenario, waiting_max=2)


def test_a_version_that_is_not_there_falls_back_on_the_games_shadow(ledger: Ledger) -> None:
    predicting = Predicting()
    missing: tuple[Family, Alias] = ("feedforward_nn", "Production")
    predicting.missing = missing

    async def scenario(running: Beside) -> None:
        running.offer("g1", 1)
        await running.until(lambda: len(running.events("g1")) == len(OTHERS) * len(ALIASES))

        steps = [event for event in running.events("g1") if isinstance(event, InferenceFellBack)]
        assert [(event.model_type, event.alias, event.served) for event in steps] == [(*missing, False)]

    beside(ledger, predicting, scenario)


class Panic(BaseException):
    """What an extension module raises past every `except Exception`."""


@pytest.mark.parametrize("error", [RuntimeError("no"), StorageError("no"), Panic("no")])
def test_a_failure_is_counted_and_the_next_round_is_predicted(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    predicting = Predicting()

    async def scenario(running: Beside) -> None:
        predicting.error = error
        running.offer("g1", 1)
        await running.until(lambda: running.dropped()["failed"] == 1)
        predicting.error = None
        running.offer("g2", 1)
        await running.until(lambda: len(running.events("g2")) == len(OTHERS) * len(ALIASES))
        assert running.events("g1") == []

    beside(ledger, predicting, scenario)
    assert "1 rounds were not predicted" in caplog.text


def test_what_waits_is_predicted_before_the_end(ledger: Ledger) -> None:
    ended: list[Beside] = []

    async def scenario(running: Beside) -> None:
        running.offer("g1", 7)
        ended.append(running)

    beside(ledger, Predicting(), scenario)
    assert len(ended[0].events("g1")) == 7 * len(OTHERS) * len(ALIASES)
    assert ended[0].sample("waiting") == ended[0].sample("waiting_bytes") == 0


def test_what_is_in_hand_at_the_end_is_counted_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_family, "CLOSE_SECONDS", 0.05)
    predicting = Predicting()

    async def scenario(running: Beside) -> None:
        predicting.free.clear()
        running.offer("g1", 1)
        await running.until(predicting.reached.is_set)
        running.offer("g2", 1)
        closing = asyncio.create_task(running.tracker.close())
        await running.until(lambda: running.dropped()["closed"] == 2)
        predicting.free.set()
        await closing

        assert running.events("g1") == running.events("g2") == []

    beside(ledger, predicting, scenario)


@given(st.uuids().map(str))
def test_a_share_of_none_chooses_no_game_and_a_share_of_all_every_game(game_id: str) -> None:
    assert not is_cross_family(game_id, 0.0)
    assert is_cross_family(game_id, 1.0)


def test_the_choice_has_nothing_to_do_with_the_alias() -> None:
    games = [f"game-{number}" for number in range(4_000)]

    chosen = [game for game in games if is_cross_family(game, 0.25)]

    assert 0.22 < len(chosen) / len(games) < 0.28
    assert 0.45 < sum(assigned_alias(game, 0.5) == "B" for game in chosen) / len(chosen) < 0.55


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("bot script", {"bot", "script"}), ("human", {"human"}), ("bot,human", {"bot", "human"})],
)
def test_whose_games_is_a_list_of_words(text: str, kinds: set[str]) -> None:
    assert read_settings({"RPS_CROSS_FAMILY_FOR": text}).cross_family_for == kinds


@pytest.mark.parametrize("text", ["people", "bot robot", " ", ","])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="RPS_CROSS_FAMILY_FOR"):
        read_settings({"RPS_CROSS_FAMILY_FOR": text})
