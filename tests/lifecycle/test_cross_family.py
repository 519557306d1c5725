"""Predictions beside the games: on streams of their own, counted, deciding nothing, and in nobody's way."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gameplay.config import SettingError, Settings, read_settings
from gameplay.game.rules import assigned_alias, is_cross_family
from gameplay.promotion import planning
from gameplay.serving import cross_family
from ledger.events import InferenceFellBack, PredictionMade
from ledger.streams import shadow_stream
from ledger.vocabulary import ALIASES, FAMILIES, Family
from projections.audit.decisions import check_decisions
from projections.audit.what_if import Change, what_if
from tests.builders import prediction_made
from tests.gameplay.web_clients import play, play_on, samples, service_behind, start, wait_until
from tests.lifecycle.conftest import serving

OTHERS: tuple[Family, ...] = ("feedforward_nn", "multinomial_logistic")


@contextmanager
def tracking(settings: Settings, **changes: Any) -> Iterator[TestClient]:
    with serving(replace(settings, **{"cross_family_share": 1.0, **changes})) as client:
        yield client


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
    """The read models stand still, so that nobody can look at the aliases."""
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with service_behind(client).core.read_models.projector.current():
            taken.set()
            let_go.wait(15)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(15)
    try:
        yield
    finally:
        let_go.set()
        holder.join()


def dropped(client: TestClient, reason: str) -> float:
    return samples(client, "process")[f'rps_cross_family_dropped_total{{reason="{reason}"}}']


def test_all_twelve_models_predict_each_round_of_a_chosen_game(settings: Settings) -> None:
    with tracking(settings) as client:
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


def test_what_is_predicted_beside_a_game_ranks_nobody(settings: Settings) -> None:
    with tracking(settings) as client:
        game_id = start(client)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
        wait_until(lambda: caught_up(client, game_id, model_rounds))

        found = records(client)

    assert {version: found["xgboost"][version] for version in (1, 2, 3, 4)} == dict.fromkeys(
        (1, 2, 3, 4), model_rounds
    )
    assert not any(found[family] for family in OTHERS)


def test_an_audit_counts_as_the_ranking_did(settings: Settings) -> None:
    with tracking(settings, promotion_minimum_games=1, promotion_alpha="0.000001") as client:
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
def test_other_games_are_left_alone(settings: Settings, changes: dict[str, Any], sat_down: dict[str, Any]) -> None:
    with tracking(settings, **changes) as client:
        game_id = start(client, **sat_down)["game_id"]
        play_on(client, game_id)
        streams = [service_behind(client).core.ledger.version(shadow_stream(game_id))]

    assert streams == [0]


def test_a_test_game_is_predicted_and_not_counted(settings: Settings) -> None:
    with tracking(settings) as client:
        game_id = start(client, mark_test_game=True)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
        wait_until(lambda: caught_up(client, game_id, model_rounds))

        assert not any(predictions(client).values())


def test_a_full_queue_drops_counts_and_still_answers(settings: Settings) -> None:
    with tracking(settings) as client:
        tracker = service_behind(client).cross_family
        tracker._queue._maxsize = 2  # type: ignore[attr-defined]
        game_id = start(client)["game_id"]
        with held(client):
            model_rounds = play_on(client, game_id)["round"] - 3
            full = samples(client, "process")
        wait_until(lambda: samples(client, "process")["rps_cross_family_waiting"] == 0)

        # One round is in the worker's hands, two wait.
        assert full["rps_cross_family_waiting"] == 2
        assert full["rps_cross_family_waiting_bytes"] > 2 * 200
        assert full['rps_cross_family_dropped_total{reason="full"}'] == model_rounds - 3
        wait_until(lambda: caught_up(client, game_id, 3))


def test_a_version_that_is_not_there_falls_back_on_the_games_shadow_alone(settings: Settings) -> None:
    with tracking(settings) as client:
        service = service_behind(client)
        service.core.models._loaded.pop(("feedforward_nn", 1))  # as if it had never come
        service.core.models._asked.add(("feedforward_nn", 1))
        game_id = start(client)["game_id"]
        for _ in range(4):
            play(client, game_id)
        wait_until(lambda: caught_up(client, game_id, 1))

        steps = [event for event in shadow(client, game_id) if isinstance(event, InferenceFellBack)]
        ended = play_on(client, game_id)

        assert [(event.model_type, event.alias, event.served) for event in steps] == [
            ("feedforward_nn", "Production", False)
        ]
        assert ended["model_info"]["probability_source"] == "model"
        finished = [
            service.core.ledger.decode(entry) for entry in service.core.ledger.read_stream(f"game-{game_id}")
        ][-1]
        assert not getattr(finished, "fallback_affected")  # noqa: B009


def test_a_stream_that_another_process_has_begun_is_carried_on(settings: Settings) -> None:
    with tracking(settings) as client:
        game_id = start(client)["game_id"]
        elsewhere = prediction_made(game_id=game_id, model_type="feedforward_nn", round=4, served=False)
        service_behind(client).core.ledger.append(shadow_stream(game_id), [elsewhere], 0)
        for _ in range(4):
            play(client, game_id)

        wait_until(lambda: len(shadow(client, game_id)) == 1 + len(OTHERS) * len(ALIASES))


def test_answers_do_not_wait_for_the_other_families(settings: Settings) -> None:
    with tracking(settings) as client:
        game_id = start(client)["game_id"]
        with held(client):
            ended = play_on(client, game_id)  # while nobody can look at the aliases

        wait_until(lambda: caught_up(client, game_id, ended["round"] - 3))
        assert samples(client, "process")["rps_cross_family_seconds_count"] == ended["round"] - 3


def test_a_failure_is_counted_and_the_next_round_is_predicted(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with tracking(settings) as client:
        tracker = service_behind(client).cross_family
        game_id = start(client)["game_id"]
        for _ in range(3):
            play(client, game_id)
        predictor, tracker._predictor = tracker._predictor, None  # type: ignore[assignment]
        play(client, game_id)
        wait_until(lambda: dropped(client, "failed") == 1)
        tracker._predictor = predictor

        play(client, game_id)

        wait_until(lambda: caught_up(client, game_id, 1))
    assert "1 rounds were not predicted" in caplog.text


def test_what_waits_is_predicted_before_the_end(settings: Settings) -> None:
    with tracking(settings) as client:
        service = service_behind(client)
        game_id = start(client)["game_id"]
        model_rounds = play_on(client, game_id)["round"] - 3
    with serving(settings) as client:
        assert caught_up(client, game_id, model_rounds)
    assert service.cross_family._queue.empty()
    assert service.cross_family._waiting_bytes == 0


def test_what_is_in_hand_at_the_end_is_counted_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_family, "CLOSE_SECONDS", 0.05)
    with tracking(settings) as client:
        tracker = service_behind(client).cross_family
        game_id = start(client)["game_id"]
        for _ in range(3):
            play(client, game_id)
        assert client.portal is not None
        with held(client):
            for _ in range(2):
                play(client, game_id)
            wait_until(lambda: tracker._queue.qsize() == 1)
            closing = client.portal.start_task_soon(tracker.close)
            wait_until(lambda: tracker._dropped.labels("closed")._value.get() >= 1)  # the one that waits
        closing.result(15)

        assert dropped(client, "closed") == 2
        assert shadow(client, game_id) == []


def test_its_metrics_are_there_from_the_first_scrape(settings: Settings) -> None:
    with serving(settings) as client:
        found = samples(client, "process")

    assert {
        found[f'rps_cross_family_dropped_total{{reason="{one}"}}'] for one in ("full", "failed", "closed")
    } == {0}
    assert found["rps_cross_family_waiting"] == found["rps_cross_family_waiting_bytes"] == 0
    assert found["rps_cross_family_seconds_count"] == 0


@given(st.uuids().map(str))
def test_a_share_of_none_chooses_nobody_and_a_share_of_all_everybody(game_id: str) -> None:
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
