from collections.abc import Iterable
from typing import Any

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.game import players
from gameplay.game.players import identify, naming
from gameplay.serving.service import Service
from ledger.engines.database import transaction
from ledger.events import Event
from ledger.times import show_seconds
from ledger.vocabulary import POLICIES, Winner
from tests.builders import game_finished, game_started, round_played
from tests.gameplay.web_clients import ok, play, play_on, service_behind, start

SINCE = show_seconds(Settings().metrics_since_us)
SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}


def session(client: TestClient, session_id: str, name: str | None = None) -> str:
    """A person's opaque id, with a display name."""
    return person(service_behind(client), session_id, name)


def person(service: Service, session_id: str, name: str | None = None) -> str:
    player_id = identify(None, session_id).player_id
    if name is not None:
        with transaction(service.core.engine, write=[players.players]) as connection:
            connection.execute(*naming(player_id, name))
    return player_id


def record(client: TestClient, session_id: str, winners: Iterable[Winner], **labels: Any) -> None:
    """Games of a session that ended so, with a round each that the player won."""
    append_games(service_behind(client), session_id, winners, **labels)


def append_games(service: Service, session_id: str, winners: Iterable[Winner], **labels: Any) -> None:
    ledger, kind = service.core.ledger, {"player_kind": labels.pop("player_kind", "human")}
    for winner in winners:
        game_id = f"g{ledger.head().position}"
        named = {"game_id": game_id, "player_id": person(service, session_id)}
        events: list[Event] = [
            game_started(**named, **kind, **labels),
            round_played(game_id=game_id, result="win", **labels),
            game_finished(game_id=game_id, winner=winner, **kind, **labels),
        ]
        ledger.append(f"game-{game_id}", events, 0)


def test_bots_fare_by_policy_and_every_policy_is_there(served: TestClient) -> None:
    record(served, "s1", ["bot", "bot", "user", "tie"])

    found = ok(served.get("/bot_win_rates"))

    assert found["since"] == SINCE
    assert list(found["bot_rates"]) == list(POLICIES)
    assert found["bot_rates"]["brian"] == {
        "bot_win_rate": 0.5,
        "human_win_rate": 0.25,
        "human_games": 4,
        "bot_wins": 2,
        "human_wins": 1,
        "ties": 1,
    }
    assert found["bot_rates"]["logan"]["bot_win_rate"] is None
    assert found["bot_rates"]["logan"]["human_games"] == 0


def test_scripts_and_bots_count_when_not_people_alone_are_asked_for(served: TestClient) -> None:
    record(served, "s1", ["bot"])
    record(served, "s2", ["user"], player_kind="script")
    record(served, "s3", ["user"], **SCRIPTED)

    def games(**query: str) -> dict[str, int]:
        rates = ok(served.get("/bot_win_rates", params=query))["bot_rates"]
        return {policy: rate["human_games"] for policy, rate in rates.items() if rate["human_games"]}

    assert games() == games(human_only="true") == {"brian": 1, "gus": 1}
    assert games(human_only="0") == {"brian": 2, "gus": 1}
    assert games(easy_mode="1") == {}


def test_streaks_name_their_players_by_the_side_table_and_an_erased_name_is_gone(served: TestClient) -> None:
    ada, bea = session(served, "ada", "Ada"), session(served, "bea", "<img src=x onerror=alert(1)>")
    record(served, "ada", ["user", "user", "bot"])
    record(served, "bea", ["user", "user", "user"])

    def streaks(**query: object) -> list[tuple[str, str, int, int, int]]:
        found = ok(served.get("/win_streaks", params={name: str(value) for name, value in query.items()}))
        assert found["since"] == SINCE
        return [
            (row["player_id"], row["username"], row["streak"], row["current_streak"], row["total_games"])
            for row in found["players"]
        ]

    assert streaks() == [(bea, "<img src=x onerror=alert(1)>", 3, 3, 3), (ada, "Ada", 2, 0, 3)]
    assert streaks(limit=1) == streaks()[:1]
    assert streaks(opponent="forrest") == []

    players.erase(service_behind(served).core.engine, "Ada")
    assert streaks()[1] == (ada, "Player", 2, 0, 3)


def test_the_date_of_the_last_win_is_a_time_in_utc(served: TestClient) -> None:
    record(served, "ada", ["user"])
    recorded_us = service_behind(served).core.ledger.head().recorded_us

    (row,) = ok(served.get("/win_streaks"))["players"]

    assert row["last_win_date"] == show_seconds(recorded_us)


def test_the_stats_of_a_session_are_its_rounds_and_games(served: TestClient) -> None:
    answers = []
    for number in range(2):
        game_id = start(served, session_id="ada")["game_id"]
        answers += [play(served, game_id)["result"] for _ in range(3)]
        if number == 0:
            answers += results_to_the_end(served, game_id)

    found = ok(served.get("/stats", params={"session_id": "ada"}))

    assert found == {
        "rounds": len(answers),
        "wins": answers.count("win"),
        "losses": answers.count("lose"),
        "draws": answers.count("draw"),
        "games": 1,
        "since": SINCE,
    }


def results_to_the_end(client: TestClient, game_id: str) -> list[str]:
    results = []
    while True:
        answer = play(client, game_id)
        results.append(answer["result"])
        if answer["finished"]:
            return results


def test_a_session_that_has_not_played_has_zeros(shared: TestClient) -> None:
    found = ok(shared.get("/stats", params={"session_id": "nobody"}))

    assert {name: value for name, value in found.items() if value} == {"since": SINCE}


def test_the_stats_of_a_game_are_its_rounds_even_if_it_is_a_test(served: TestClient) -> None:
    game_id = start(served, session_id="ada", mark_test_game=True)["game_id"]
    play_on(served, game_id)

    found = ok(served.get("/stats", params={"game_id": game_id, "session_id": "ada"}))

    assert found["rounds"] == found["wins"] + found["losses"] + found["draws"] > 0
    assert found["games"] == 1
    assert ok(served.get("/stats", params={"session_id": "ada"}))["rounds"] == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stats", 400),
        ("/stats?game_id=none", 404),
        ("/stats?game_id=none&at=yesterday-ish", 400),
        ("/stats?game_id=none&at=999999999", 400),
        ("/stats?session_id=a&session_id=b", 400),
        ("/win_streaks?limit=0", 400),
        ("/win_streaks?limit=101", 400),
        ("/win_streaks?opponent=ada", 400),
        ("/bot_win_rates?human_only=perhaps", 400),
        ("/leaderboard?limit=x", 400),
        ("/bot_win_rates?at=999999999", 400),
    ],
)
def test_what_cannot_be_asked_is_refused(shared: TestClient, path: str, status: int) -> None:
    answer = shared.get(path)

    assert answer.status_code == status
    assert answer.json()["detail"]


def test_the_past_is_what_it_was(served: TestClient) -> None:
    record(served, "ada", ["user"])
    before = service_behind(served).core.ledger.head().position
    record(served, "ada", ["user", "bot"])

    at = {"at": str(before)}
    assert ok(served.get("/win_streaks", params=at))["players"][0]["streak"] == 1
    assert ok(served.get("/bot_win_rates", params=at))["bot_rates"]["brian"]["human_games"] == 1
    assert ok(served.get("/stats", params={**at, "session_id": "ada"}))["games"] == 1
    assert ok(served.get("/stats", params={"session_id": "ada"}))["games"] == 3


def test_the_stats_of_a_game_look_back_too(served: TestClient) -> None:
    game_id = start(served)["game_id"]
    play(served, game_id)
    head = service_behind(served).core.ledger.head().position
    play(served, game_id)
    begun = ok(served.get(f"/games/{game_id}.json"))["started_position"]

    rounds = [
        ok(served.get("/stats", params={"game_id": game_id, "at": position}))["rounds"]
        for position in (begun, head, head + 1)
    ]

    assert rounds == [0, 1, 2]
    assert served.get("/stats", params={"game_id": game_id, "at": begun - 1}).status_code == 404
