import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from gameplay.client.simulate import ScriptedPlayer
from gameplay.game.features import FEATURE_NAMES
from gameplay.game.players import known_as
from gameplay.game.rules import round_points
from gameplay.serving import room
from ledger.engines.database import transaction
from ledger.schema import events
from ledger.vocabulary import ALIASES, BOTS, FAMILY_OF_POLICY, POLICIES, Policy
from tests.gameplay.conftest import Serve
from tests.gameplay.web_clients import (
    HISTORY_PATH,
    REPORT_PATH,
    events_of,
    ok,
    play,
    play_on,
    samples,
    service_behind,
    start,
    state,
    wait_until,
)

START_KEYS = {
    "game_id",
    "session_id",
    "player_name",
    "policy",
    "bot_policy",
    "difficulty_mode",
    "bot_model_alias",
    "model_type",
    "target_score",
    "status",
    "message",
}
PLAY_KEYS = {
    "game_id",
    "round",
    "user_move",
    "player_move",
    "bot_move",
    "result",
    "user_delta",
    "bot_delta",
    "user_score",
    "bot_score",
    "round_points",
    "finished",
    "winner",
    "scores",
    "policy",
    "difficulty_mode",
    "model_info",
    "ab_assignment",
    "debug",
    "message",
}
MODEL_INFO_KEYS = {
    "model_type",
    "model_alias",
    "model_version",
    "policy",
    "difficulty_mode",
    "probability_source",
}
DEBUG_KEYS = {
    "probabilities",
    "expected_values",
    "features",
    "feature_count",
    "probability_source",
    "round_no",
}
MOVE_KEYS = {"rock", "paper", "scissors"}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_game_starts_with_all_that_the_contract_names(served: TestClient, policy: Policy) -> None:
    answer = start(served, policy, player_name="Zoë", session_id="s-1")

    assert answer.keys() == START_KEYS
    assert answer["session_id"] == "s-1"
    assert answer["player_name"] == "Zoë"
    assert answer["policy"] == answer["bot_policy"] == policy
    assert answer["model_type"] == FAMILY_OF_POLICY[policy]
    assert answer["bot_model_alias"] in ("Production", "B")
    assert (answer["difficulty_mode"], answer["target_score"], answer["status"]) == ("normal", 10, "active")
    assert "coerced" not in answer["message"]


@pytest.mark.parametrize("mode", ["normal", "standard", "easy"])
def test_every_difficulty_is_the_normal_one(served: TestClient, mode: str) -> None:
    answer = start(served, difficulty_mode=mode)

    assert answer["difficulty_mode"] == "normal"
    assert ("coerced" in answer["message"]) is (mode == "easy")
    ended = play_on(served, answer["game_id"])
    assert ended["difficulty_mode"] == "normal"
    assert samples(served)['rps_games_total{difficulty="standard",policy="forrest"}'] == 1


@pytest.mark.parametrize("bot", BOTS)
def test_a_bot_may_be_the_opponent(served: TestClient, bot: str) -> None:
    before = samples(served)
    answer = start(served, bot)
    assert (answer["model_type"], answer["bot_model_alias"]) == ("scripted", None)

    ended = play_on(served, answer["game_id"])

    assert ended["ab_assignment"] is None
    assert ended["model_info"]["probability_source"] == "scripted"
    after = samples(served)
    changed = {name for name in after if after[name] != before[name] and name.startswith("rps_model")}
    assert changed == set()
    assert after[f'rps_games_total{{difficulty="standard",policy="{bot}"}}'] == 1


def test_a_round_is_answered_with_all_that_the_contract_names(served: TestClient) -> None:
    game_id = start(served)["game_id"]

    opening, *_, modelled = [play(served, game_id) for _ in range(4)]

    for round_no, answer in ((1, opening), (4, modelled)):
        assert answer.keys() == PLAY_KEYS
        assert answer["model_info"].keys() == MODEL_INFO_KEYS
        assert answer["debug"].keys() == DEBUG_KEYS
        assert answer["scores"].keys() == {"player", "bot", "ties"}
        assert answer["ab_assignment"].keys() == {"alias", "model_key", "is_variant"}
        assert answer["round_points"].keys() == MOVE_KEYS
        assert answer["round"] == answer["debug"]["round_no"] == round_no
        assert answer["user_move"] == answer["player_move"] == "rock"
        assert (answer["finished"], answer["winner"]) == (False, None)
        assert sum(answer["scores"].values()) == round_no
    assert (opening["debug"]["probabilities"], opening["debug"]["feature_count"]) == (None, 50)
    assert opening["debug"]["features"][FEATURE_NAMES.index("round_number")] == 1
    assert opening["model_info"]["probability_source"] == "opening"
    debug = modelled["debug"]
    assert debug["probabilities"].keys() == debug["expected_values"].keys() == MOVE_KEYS
    assert debug["feature_count"] == len(debug["features"]) == len(FEATURE_NAMES) == 50
    assert modelled["model_info"]["probability_source"] == debug["probability_source"] == "model"
    best = max(debug["expected_values"], key=debug["expected_values"].get)
    assert modelled["bot_move"] == best


def test_points_add_up_to_the_winner(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    user = bot = 0.0

    while True:
        asked = ok(served.get("/round_points", params={"game_id": game_id}))
        assert asked.keys() == {"game_id", "round_no", "round_points"}
        answer = play(served, game_id, "paper", round=asked["round_no"])
        assert answer["round_points"] == asked["round_points"]
        points = round_points(game_id, answer["round"])
        assert answer["round_points"] == {name: getattr(points, name) / 10 for name in MOVE_KEYS}
        user, bot = round(user + answer["user_delta"], 1), round(bot + answer["bot_delta"], 1)
        assert (answer["user_score"], answer["bot_score"]) == (user, bot)
        if answer["finished"]:
            break

    assert max(user, bot) >= 10
    assert answer["winner"] == ("user" if user > bot else "bot" if bot > user else "tie")


def test_easy_mode_in_a_move_is_ignored(served: TestClient) -> None:
    assert play(served, start(served)["game_id"], easy_mode=True)["model_info"]["difficulty_mode"] == "normal"


def test_a_retry_a_stale_round_and_another_move(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    first = play(served, game_id, "rock", round=1)
    after = state(served)

    assert play(served, game_id, "rock", round=1) == first
    for body in ({"user_move": "paper", "round": 1}, {"user_move": "rock", "round": 3}):
        refused = served.post("/play", json={"game_id": game_id, **body})
        assert refused.status_code == 409
        assert refused.json().keys() == {"detail", "request_id"}
    assert state(served) == after


def test_a_finished_game_answers_409_but_its_last_round_again(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    ended = play_on(served, game_id)
    after = state(served)

    assert play(served, game_id, "rock", round=ended["round"]) == ended
    for body in ({}, {"round": ended["round"] + 1}):
        refused = served.post("/play", json={"game_id": game_id, "user_move": "rock", **body})
        assert refused.status_code == 409
        assert "finished" in refused.json()["detail"]
    assert state(served) == after
    assert ended["message"]


def test_an_unknown_game_is_404(served: TestClient) -> None:
    for response in (
        served.post("/play", json={"game_id": "nobody", "user_move": "rock"}),
        served.get("/round_points", params={"game_id": "nobody"}),
        served.get("/round_points", params={"game_id": "\x00"}),
        served.get("/round_points?game_id=%ff%fe"),
    ):
        assert response.status_code == 404
        assert "detail" in response.json()
    assert served.get("/round_points").status_code == 400
    assert served.get("/round_points?game_id=").status_code == 400


@pytest.mark.parametrize("given_round", [True, False])
def test_of_many_plays_for_one_round_exactly_one_counts(served: TestClient, given_round: bool) -> None:
    game_id = start(served)["game_id"]
    for _ in range(3):
        play(served, game_id)
    body = {"game_id": game_id, "user_move": "rock", **({"round": 4} if given_round else {})}
    answers: list[tuple[int, int | None]] = []

    def send() -> None:
        response = served.post("/play", json=body)
        answers.append((response.status_code, response.json().get("round")))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    if given_round:
        assert answers == [(200, 4)] * 8
        assert events_of(served, "game.round_played") == 4
    else:
        played = sorted(answer for answer in answers if answer[0] == 200)
        assert [round_no for _, round_no in played] == list(range(4, 4 + len(played)))
        assert {status for status, _ in answers} <= {200, 409}
        assert events_of(served, "game.round_played") == 3 + len(played)


def test_no_name_is_kept_of_a_game_that_did_not_start(served: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPEN_GAMES_A_PLAYER_MAX", 0)

    refused = served.post("/start_game", json={"policy": "brian", "player_name": "Zoë"})

    assert refused.status_code == 429
    assert known_as(service_behind(served).core.engine, "Zoë") == []


def test_while_another_process_holds_the_write_lock_named_starts_wait_and_reads_do_not(served: TestClient) -> None:
    service = service_behind(served)
    with ThreadPoolExecutor(20) as crowd:
        with transaction(service.core.engine, write=[events]):
            starts = [crowd.submit(start, served, player_name=f"player {number}") for number in range(20)]
            wait_until(lambda: service.writer.unanswered_events == 20)

            assert [served.get(path).status_code for path in ("/readyz", "/metrics", HISTORY_PATH)] == [200] * 3
            assert not any(one.done() for one in starts)
        names = {one.result()["player_name"] for one in starts}

    assert all(known_as(service.core.engine, name) for name in names)


def test_a_players_name_stays_out_of_the_ledger(served: TestClient) -> None:
    start(served, player_name="Confidential Person", session_id="s-9")

    with service_behind(served).core.engine.connect() as connection:
        payloads = connection.execute(text("SELECT payload FROM events")).scalars().all()
        names = connection.execute(text("SELECT name FROM players")).scalars().all()
    assert not any(b"Confidential" in payload for payload in payloads)
    assert names == ["Confidential Person"]


@pytest.mark.parametrize("mark", ["mark_test_game", "is_test", "is_test_game", "is_test_data"])
def test_a_test_game_is_in_the_ledger_and_in_no_counter(served: TestClient, mark: str) -> None:
    before = samples(served)

    play_on(served, start(served, "forrest", **{mark: True})["game_id"])

    after = samples(served)
    changed = {name.partition("{")[0] for name in after if after[name] != before[name]}
    assert changed == {"rps_ledger_events_total", "rps_ledger_position", "rps_projection_position"}
    assert events_of(served, "game.finished") == 1


def test_active_games_are_those_that_have_started_and_not_ended(served: TestClient) -> None:
    one, other = (start(served)["game_id"] for _ in range(2))
    assert samples(served)["rps_active_games"] == 2

    play_on(served, one)
    play(served, other)

    assert samples(served)["rps_active_games"] == 1


def test_games_by_scripted_players_equal_a_recount_by_plain_sql(served: TestClient) -> None:
    games = [
        game
        for number, bot in enumerate(["cal", "gus", "ace", "hal"])
        for policy in POLICIES
        for game in ScriptedPlayer(served, bot, seed=number).games(policy, 2)  # type: ignore[arg-type]
    ]
    assert len(games) == 24
    shown = samples(served)

    for name, value in recounted(served).items():
        assert shown[name] == value, name
    assert sum(shown[f'rps_games_total{{difficulty="standard",policy="{policy}"}}'] for policy in POLICIES) == 24


def recounted(client: TestClient) -> dict[str, float]:
    """The series of the contract that count games, rounds and predictions, from the stored bytes alone."""
    queries = {
        'rps_games_total{difficulty="standard",policy="%s"}': """
            SELECT payload ->> 'policy', count(*) FROM events WHERE type = 'game.finished' GROUP BY 1""",
        'rps_game_wins_total{difficulty="standard",policy="%s"}': """
            SELECT payload ->> 'policy', sum(payload ->> 'winner' = 'bot') FROM events
            WHERE type = 'game.finished' GROUP BY 1""",
        'rps_game_losses_total{difficulty="standard",policy="%s"}': """
            SELECT payload ->> 'policy', sum(payload ->> 'winner' = 'user') FROM events
            WHERE type = 'game.finished' GROUP BY 1""",
        'rps_model_games_by_alias_total{alias="%s",model="%s"}': """
            SELECT payload ->> 'alias', payload ->> 'model_type', count(*) FROM events
            WHERE type = 'game.finished' GROUP BY 1, 2""",
        'rps_model_game_wins_by_alias_total{alias="%s",model="%s"}': """
            SELECT payload ->> 'alias', payload ->> 'model_type', sum(payload ->> 'winner' = 'bot') FROM events
            WHERE type = 'game.finished' GROUP BY 1, 2""",
        # Four for each round after the opening, whatever the predictions' own events say.
        **{
            f'rps_model_predictions_by_alias_total{{alias="{alias}",model="%s"}}': """
            SELECT payload ->> 'model_type', count(*) FROM events
            WHERE type = 'game.round_played' AND payload ->> 'round' > 3 GROUP BY 1"""
            for alias in ALIASES
        },
        'rps_model_correct_predictions_by_alias_total{alias="%s",model="%s"}': """
            SELECT p.payload ->> 'alias', p.payload ->> 'model_type',
                   sum(p.payload ->> 'predicted' = r.payload ->> 'user_move')
            FROM events p JOIN events r ON r.stream = p.stream AND r.type = 'game.round_played'
                 AND r.payload ->> 'round' = p.payload ->> 'round'
            WHERE p.type = 'game.prediction_made' GROUP BY 1, 2""",
        'rps_action_wins_total{difficulty="standard",model_type="%s",policy="%s"}': """
            SELECT payload ->> 'model_type', payload ->> 'policy', sum(payload ->> 'result' = 'lose') FROM events
            WHERE type = 'game.round_played' GROUP BY 1, 2""",
        'rps_action_losses_total{difficulty="standard",model_type="%s",policy="%s"}': """
            SELECT payload ->> 'model_type', payload ->> 'policy', sum(payload ->> 'result' = 'win') FROM events
            WHERE type = 'game.round_played' GROUP BY 1, 2""",
        'rps_action_predictions_total{difficulty="standard",model_type="%s",policy="%s"}': """
            SELECT payload ->> 'model_type', payload ->> 'policy', count(*) FROM events
            WHERE type = 'game.round_played' AND payload ->> 'round' > 3 GROUP BY 1, 2""",
        'rps_ledger_events_total{type="%s"}': "SELECT type, count(*) FROM events GROUP BY 1",
    }
    counts: dict[str, float] = {}
    with service_behind(client).core.engine.connect() as connection:
        for series, query in queries.items():
            for *labels, count in connection.execute(text(query)):
                counts[series % tuple(labels)] = count
    return counts


def test_a_game_that_outlives_a_swap_counts_under_its_first_alias_and_not_in_the_window(
    served: TestClient,
) -> None:
    game = start(served)
    alias = game["bot_model_alias"]
    play(served, game["game_id"])
    ok(served.post(REPORT_PATH, json={"model_type": "xgboost", "decision": "swap_production_b"}))

    ended = play_on(served, game["game_id"])

    shown = samples(served)
    version = {"Production": 1, "B": 2}[alias]
    assert (ended["model_info"]["model_alias"], ended["model_info"]["model_version"]) == (alias, version)
    assert shown[f'rps_model_games_by_alias_total{{alias="{alias}",model="xgboost"}}'] == 1
    for either in ("Production", "B"):
        assert shown[f'rps_model_games_since_production_swap{{alias="{either}",model="xgboost"}}'] == 0

    fresh = start(served)
    play_on(served, fresh["game_id"])
    ticker = f'rps_model_games_since_production_swap{{alias="{fresh["bot_model_alias"]}",model="xgboost"}}'
    assert samples(served)[ticker] == 1


def test_policies_are_the_three(served: TestClient) -> None:
    assert ok(served.get("/policies")) == ["brian", "forrest", "logan"]


def test_a_game_goes_on_after_a_restart_of_the_service(serve: Serve) -> None:
    with serve() as client:
        game_id = start(client)["game_id"]
        answers = [play(client, game_id, round=number) for number in range(1, 6)]
        before = samples(client)

    with serve() as client:
        assert samples(client) == before
        assert [play(client, game_id, round=number) for number in range(1, 6)] == answers
        assert play(client, game_id)["round"] == 6
