"""The parts of a cluster over one ledger: what each serves, and what it leaves to the others."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.serving import play as serving_play
from gameplay.serving.roles import PARTS
from gameplay.setting_values import ROLES, Role
from gameplay.web.app import CALLS, create_app
from ledger.store import Ledger
from ledger.streams import promotion_stream
from tests.builders import aliases_assigned, assignments
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import (
    BASE_URL,
    events_of,
    history,
    ok,
    play_on,
    samples,
    service_behind,
    serving,
    start,
    wait_adopted,
    wait_until,
)
from tests.patience import PATIENCE_SECONDS


def of_role(data_dir: Path, role: Role) -> Settings:
    return Settings(data_dir=data_dir, promotion_schedule=None, role=role, shared=True)


@pytest.fixture
def cluster(data_dir: Path, registry: FaultyRegistry) -> Iterator[tuple[TestClient, TestClient]]:
    """A process that plays and a projector over one ledger."""
    with ExitStack() as stack:
        plays, shows = (
            stack.enter_context(serving(of_role(data_dir, role), registry)) for role in ("play", "projector")
        )
        yield plays, shows


def test_what_one_process_plays_the_other_shows(cluster: tuple[TestClient, TestClient]) -> None:
    plays, shows = cluster
    game_id = start(plays)["game_id"]
    answer = play_on(plays, game_id)
    assert answer["model_info"]["probability_source"] == "model"
    shown = samples(shows)
    assert shown['rps_games_total{difficulty="standard",policy="forrest"}'] == 1
    assert shown['rps_ledger_events_total{type="game.finished"}'] == 1
    assert ok(shows.get("/readyz"))["ready"]
    assert history(shows) == []


def test_a_process_that_plays_folds_no_game(cluster: tuple[TestClient, TestClient]) -> None:
    plays, _ = cluster
    play_on(plays, start(plays)["game_id"])
    assert not hasattr(service_behind(plays).base, "read_models")


def test_a_game_takes_the_aliases_that_another_process_has_just_moved(
    cluster: tuple[TestClient, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_play, "MODELS_SECONDS_MAX", PATIENCE_SECONDS)
    plays, shows = cluster
    wait_adopted()
    ledger = service_behind(shows).core.ledger
    moved = aliases_assigned(
        model_type="xgboost",
        cause="registry",
        assignments=assignments((1, 2, 3, 4), (5, 6, 3, 4)),
    )
    store, registry = service_behind(shows).core.store, service_behind(shows).core.registry
    for version in (5, 6):
        store.put_model("xgboost", registry.download("xgboost", version))
    ledger.append(promotion_stream("xgboost"), [moved], 1)
    answer = play_on(plays, start(plays)["game_id"])
    assert answer["model_info"]["model_version"] in (5, 6)
    assert answer["model_info"]["probability_source"] == "model"
    assert events_of(shows, "game.inference_fell_back") == 0


@pytest.mark.parametrize("role", ROLES)
def test_every_call_is_served_or_names_who_serves_it(data_dir: Path, registry: FaultyRegistry, role: Role) -> None:
    other = {"play": "projector", "projector": "play"}
    with TestClient(create_app(of_role(data_dir, role), registry=registry), base_url=BASE_URL) as client:
        for call in CALLS:
            path = call.path.replace("{", "").replace("}", "")
            response = client.request("HEAD" if call.endless else call.method, path)
            if call.part is None or call.part in PARTS[role]:
                assert response.status_code != 421, call
            elif not call.endless:
                assert response.status_code == 421, call
                assert f"{call.method} {path}" in response.json()["detail"]
                assert f"RPS_ROLE={other[role]}" in response.json()["detail"]


def test_each_part_is_served_by_some_role_and_by_all() -> None:
    assert PARTS["all"] == PARTS["play"] | PARTS["projector"]
    assert not PARTS["play"] & PARTS["projector"]


def test_a_process_that_plays_shows_its_own_series_alone(cluster: tuple[TestClient, TestClient]) -> None:
    plays, shows = cluster
    refused = plays.get("/metrics", params={"scope": "ledger"})
    assert refused.status_code == 421
    assert "RPS_ROLE=projector" in refused.json()["detail"]
    for own in (samples(plays, "process"), samples(plays, None)):
        assert "rps_writer_unanswered_events" in own
        assert not any(name.startswith("rps_games_total") for name in own)
    both = samples(shows, None)
    assert "rps_writer_unanswered_events" not in both
    assert any(name.startswith("rps_games_total") for name in both)
    jobs = {name.partition('job="')[2].rstrip('"}') for name in samples(plays, None) if "rps_job_missed" in name}
    assert jobs == {"catch-up"}


def test_both_show_the_models(cluster: tuple[TestClient, TestClient]) -> None:
    plays, shows = cluster
    wait_until(lambda: all(one["loaded"] for one in ok(shows.get("/models"))["xgboost"]["aliases"].values()))
    assert (
        ok(plays.get("/models"))["xgboost"]["aliases"].keys()
        == ok(shows.get("/models"))["xgboost"]["aliases"].keys()
    )


def test_a_process_that_plays_waits_for_the_first_models(tmp_path: Path, registry: FaultyRegistry) -> None:
    settings = of_role(tmp_path / "empty", "play")
    with TestClient(create_app(settings, registry=registry), base_url=BASE_URL) as client:
        wait_until(lambda: "no aliases yet" in client.get("/readyz").text)
        ledger: Ledger = service_behind(client).base.ledger
        assert ledger.head().position == 0
