import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.feed import SCANNED_MAX, Asked, read_page
from ledger.store import Ledger
from tests.builders import aliases_assigned, cycle_decided, game_finished, game_started, prediction_made
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.web_clients import ok, play, play_on, service_behind, serving, start
from tests.projections.stories import append, insert_raw

PATH = "/internal/ledger/events"
TOKEN = "an-internal-token"
ALL = Asked(0, (), complete=True)


def test_events_come_in_order_with_their_payload_as_it_is_stored(shared: TestClient) -> None:
    ledger = service_behind(shared).core.ledger
    found = ok(shared.get(PATH, params={"limit": 5}))

    entries = ledger.read(limit=5)
    assert [event["position"] for event in found["events"]] == [1, 2, 3, 4, 5]
    assert [event["payload"] for event in found["events"]] == [json.loads(entry.payload) for entry in entries]
    assert entries[0].payload in shared.get(PATH, params={"limit": 1}).content
    assert (found["next_after"], found["head"]) == (5, ledger.head().position)


def test_going_on_after_the_last_one_finds_each_event_once(shared: TestClient) -> None:
    head = service_behind(shared).core.ledger.head().position
    after, seen = max(0, head - 250), []
    while after < head:
        found = ok(shared.get(PATH, params={"after": after}))
        seen += [event["position"] for event in found["events"]]
        after = found["next_after"]

    assert seen == list(range(max(0, head - 250) + 1, head + 1))
    at_the_end = ok(shared.get(PATH, params={"after": head}))
    assert (at_the_end["events"], at_the_end["next_after"]) == ([], head)


@pytest.mark.parametrize("types", ["", "&type=promotion.cycle_decided"])
def test_a_position_that_the_ledger_has_not_reached_is_a_conflict(shared: TestClient, types: str) -> None:
    head = service_behind(shared).core.ledger.head().position
    answers = [
        shared.get(f"{PATH}?after={head + 1}{types}"),
        shared.get(f"/internal/ledger/stream?after={head + 1}{types}"),
        shared.get(f"/internal/ledger/stream?after=0{types}", headers={"Last-Event-ID": str(2**53)}),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    for answer in answers:
        assert answer.json()["detail"].startswith(f"the ledger ends at position {head}, before ")
        assert answer.json()["detail"].endswith(": it was restored, or is another one")


def test_types_are_chosen(shared: TestClient) -> None:
    asked = "type=promotion.aliases_assigned&type=training.completed&limit=1000"

    found = ok(shared.get(f"{PATH}?{asked}"))

    assert {event["type"] for event in found["events"]} == {"promotion.aliases_assigned", "training.completed"}


def test_a_look_for_rare_types_goes_on_where_it_stopped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gameplay.web.feed.SCANNED_MAX", 2)
    append(ledger, aliases_assigned(), *(game_started(game_id=f"g{n}") for n in range(3)), cycle_decided())

    pages, after = [], 0
    while after < 5:
        page = read_page(ledger, ALL._replace(after=after, types=("promotion.cycle_decided",)), 100)
        pages.append(([event.position for event in page.events], page.through))
        after = page.through

    assert pages == [([], 2), ([], 4), ([5], 5)]
    assert SCANNED_MAX > 2


OPEN = game_started(game_id="open", opening="rotation-1", bot_seed=7)
PREDICTED = prediction_made(game_id="open")


def test_of_an_unfinished_game_nothing_is_shown_that_tells_the_bots_moves(ledger: Ledger) -> None:
    append(ledger, OPEN, PREDICTED, game_started(game_id="done"), game_finished(game_id="done"))

    started, predicted, done, _ = read_page(ledger, ALL._replace(complete=False), 100).events

    assert (started.withheld, predicted.withheld) == (
        ("bot_seed", "opening"),
        ("correct", "predicted", "probabilities"),
    )
    assert not {"opening", "bot_seed"} & started.payload.keys()
    assert not {"probabilities", "predicted", "correct"} & predicted.payload.keys()
    assert predicted.payload["actual"] == "paper"
    assert done.withheld == ()
    assert all(not event.withheld for event in read_page(ledger, ALL, 100).events)

    append(ledger, game_finished(game_id="open"))
    assert all(not event.withheld for event in read_page(ledger, ALL._replace(complete=False), 100).events)


def test_without_a_token_the_feed_is_what_the_pages_show(shared: TestClient) -> None:
    game_id = start(shared)["game_id"]
    for _ in range(4):
        play(shared, game_id)
    head = service_behind(shared).core.ledger.head().position

    def mine() -> list[dict[str, object]]:
        found = ok(shared.get(PATH, params={"after": head - 12, "limit": 1000}))["events"]
        return [event for event in found if event["stream"] == f"game-{game_id}"]

    assert any(event["withheld"] for event in mine())
    play_on(shared, game_id)
    assert not any(event["withheld"] for event in mine())


def test_where_a_token_is_set_only_its_holder_reads_and_reads_all(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, promotion_schedule=None, internal_token=TOKEN)
    with serving(settings, registry_with_versions()) as client:
        start(client)
        head = service_behind(client).core.ledger.head().position
        query = {"after": head - 1}
        for path in (PATH, "/internal/ledger/stream"):
            refused = client.get(path, params=query, headers={"Authorization": "Bearer wrong"})
            assert (client.get(path, params=query).status_code, refused.status_code) == (401, 401)

        found = ok(client.get(PATH, params=query, headers={"Authorization": f"Bearer {TOKEN}"}))
        assert found["events"][0]["payload"]["opening"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("after=1&after=2", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("type=promotion.nothing", "type"),
    ],
)
def test_a_wrong_question_is_refused_by_name(shared: TestClient, query: str, named: str) -> None:
    refused = shared.get(f"{PATH}?{query}")

    assert refused.status_code == 400
    assert named in refused.json()["detail"]


def test_a_payload_that_is_no_json_is_named_with_its_position(data_dir: Path) -> None:
    with serving(Settings(data_dir=data_dir, promotion_schedule=None), registry_with_versions()) as client:
        position = insert_raw(service_behind(client).core.ledger, "game.started", b"{no")

        refused = client.get(PATH, params={"after": position - 1})

    assert refused.status_code == 503
    assert f"position {position}" in refused.json()["detail"]
