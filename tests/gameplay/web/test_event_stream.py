import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from gameplay.config import Settings
from gameplay.web.event_stream import _message
from gameplay.web.feed import FeedEvent
from ledger.events import EVENT_TYPES
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.web.sites import ENDLESS_SECONDS, Site, running_site
from tests.gameplay.web_clients import service_behind, start, wait_until
from tests.patience import PATIENCE_SECONDS
from tests.projections.sabotage import database, execute

PATH = "/internal/ledger/stream"


def messages(response: httpx2.Response) -> list[dict[str, str]]:
    """The fields of each message of an answer that has ended."""
    blocks = [block for block in response.text.split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_each_event_is_a_message_with_its_position_as_the_id(shared: TestClient) -> None:
    answered = shared.get(PATH, params={"after": 3, "limit": 2})

    retry, *sent = messages(answered)
    entries = service_behind(shared).core.ledger.read(3, limit=2)
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert retry == {"retry": "2000"}
    assert [(one["id"], one["event"]) for one in sent] == [(str(entry.position), entry.type) for entry in entries]
    assert [json.loads(one["data"])["event_id"] for one in sent] == [entry.event_id for entry in entries]


def test_last_event_id_goes_before_after(shared: TestClient) -> None:
    query = {"after": 1, "limit": 1}
    _, sent = messages(shared.get(PATH, params=query, headers={"Last-Event-ID": "5"}))

    assert sent["id"] == "6"


def test_types_are_chosen(shared: TestClient) -> None:
    _, sent = messages(shared.get(PATH, params={"after": 0, "limit": 1, "type": "promotion.aliases_assigned"}))

    assert sent["event"] == "promotion.aliases_assigned"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", str(2**60), ""])
def test_a_last_event_id_that_is_no_position_is_refused(shared: TestClient, last: str) -> None:
    refused = shared.get(PATH, headers={"Last-Event-ID": last})

    assert refused.status_code == 400
    assert "Last-Event-ID" in refused.json()["detail"]


def test_a_question_for_the_header_alone_has_an_end(shared: TestClient) -> None:
    assert shared.head(PATH).headers["content-type"].startswith("text/event-stream")


def test_a_line_break_in_a_stored_payload_ends_no_message() -> None:
    event = FeedEvent(
        position=1,
        event_id="e",
        stream="s",
        version=1,
        type=EVENT_TYPES[0],
        schema_version=1,
        recorded="now",
        payload={"text": "a\nb"},
        withheld=(),
    )

    lines = _message(event).decode().rstrip("\n").split("\n")

    assert [line.split(":")[0] for line in lines] == ["id", "event", "data"]
    assert json.loads(lines[2].removeprefix("data: "))["payload"] == {"text": "a\nb"}


@pytest.fixture
def site(data_dir: Path) -> Iterator[Site]:
    settings = Settings(data_dir=data_dir, promotion_schedule=None)
    with running_site(settings, registry_with_versions(), grace_seconds=ENDLESS_SECONDS) as running:
        yield running


class Listener:
    """A client that reads a stream on a thread of its own, until the stream ends."""

    def __init__(self, site: Site, **query: Any) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(site.url, query))
        self._thread.start()
        wait_until(lambda: bool(self.lines))

    def _read(self, url: str, query: dict[str, Any]) -> None:
        with httpx2.stream("GET", f"{url}{PATH}", params=query, timeout=PATIENCE_SECONDS) as response:
            for line in response.iter_lines():
                self.lines.append(line)

    def ended(self, seconds_max: float) -> bool:
        self._thread.join(seconds_max)
        return not self._thread.is_alive()


def test_what_happens_is_sent_on_and_a_stop_ends_the_stream_at_once(site: Site) -> None:
    everything, from_now = Listener(site, after=0), Listener(site)
    game_id = start(site.client)["game_id"]

    wait_until(lambda: any(f"game-{game_id}" in line for line in from_now.lines))
    head = site.service.core.ledger.head().position
    wait_until(lambda: f"id: {head}" in everything.lines)
    ids = [line for line in everything.lines if line.startswith("id: ")]
    assert ids == [f"id: {position}" for position in range(1, head + 1)]

    site.server.should_exit = True
    # Before any connection is cut.
    assert everything.ended(PATIENCE_SECONDS)
    assert from_now.ended(PATIENCE_SECONDS)


def test_a_stream_ends_when_the_database_has_lost_what_it_sent(site: Site) -> None:
    ledger = site.service.core.ledger
    head = ledger.head().position
    listening = Listener(site, after=head - 1)
    wait_until(lambda: f"id: {head}" in listening.lines)

    execute(database(ledger), f"DELETE FROM events WHERE position = {head}")

    assert listening.ended(PATIENCE_SECONDS)
    assert site.client.get(PATH, headers={"Last-Event-ID": str(head)}).status_code == 409
