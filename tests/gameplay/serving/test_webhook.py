import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.serving import webhook as sending
from gameplay.serving.cloud_events import signature
from gameplay.serving.leases import Leases
from gameplay.serving.webhook import BACK_OFF_SECONDS_MAX, LOOK_SECONDS, Webhook, WebhookMetrics
from gameplay.serving.webhook_checkpoint import Checkpoint
from ledger.store import Ledger
from tests.builders import aliases_assigned, aliases_planned, cycle_decided, game_started
from tests.gameplay.dripping import DrippingServer
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.serving.receivers import Receiver, receiving
from tests.gameplay.web_clients import REPORT_PATH, ok, samples, serving, wait_until
from tests.projections.stories import append

KEY = b"0123456789abcdef0123456789abcdef"
NOT_ENDING = threading.Event()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def sender(ledger: Ledger, url: str, *, process: CollectorRegistry | None = None) -> Webhook:
    """As another start would make it."""
    metrics = WebhookMetrics(process or CollectorRegistry())
    return Webhook(ledger, Leases(ledger.engine), metrics, url, KEY)


def started(ledger: Ledger, receiver: Receiver) -> Webhook:
    """A sender that has looked once: what comes now is sent."""
    append(ledger, aliases_assigned())
    found = sender(ledger, receiver.url)
    found.step(NOT_ENDING)
    assert receiver.got == []
    return found


def scripted(ledger: Ledger, status: Callable[[], int], *, process: CollectorRegistry | None = None) -> Webhook:
    """A sender to a receiver that answers by a function, a minute after what it sends."""
    if ledger.head().position == 0:
        append(ledger, aliases_assigned())
    metrics = WebhookMetrics(process or CollectorRegistry())
    return Webhook(
        ledger,
        Leases(ledger.engine),
        metrics,
        "http://hooks.example",
        None,
        post=lambda *_: status(),
        clock=lambda: time.time() + 60,
    )


def positions(receiver: Receiver) -> list[int]:
    return [json.loads(one.body)["position"] for one in receiver.got]


def test_what_was_there_at_the_first_start_is_not_sent_and_what_comes_is(
    ledger: Ledger, receiver: Receiver
) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided(), game_started(), aliases_planned())

    assert webhook.step(NOT_ENDING) == LOOK_SECONDS

    assert positions(receiver) == [2, 4]
    assert [one.headers["ce-type"] for one in receiver.got] == [
        "promotion.cycle_decided",
        "promotion.aliases_planned",
    ]
    for one in receiver.got:
        timestamp = int(one.headers["webhook-timestamp"])
        signed = signature(KEY, one.headers["ce-id"], timestamp, one.body)
        assert {name: one.headers[name] for name in signed} == signed


def test_five_errors_lose_nothing_and_change_no_order(ledger: Ledger, receiver: Receiver) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided(), aliases_planned())
    receiver.statuses = [500] * 5

    waits = [webhook.step(NOT_ENDING) for _ in range(6)]

    assert positions(receiver) == [2, 2, 2, 2, 2, 2, 3]
    assert len({one.headers["ce-id"] for one in receiver.got[:6]}) == 1
    assert len({one.body for one in receiver.got[:6]}) == 1
    assert [round(wait / expected) for wait, expected in zip(waits, (1, 2, 4, 8, 16), strict=False)] == [1] * 5
    assert waits[5] == LOOK_SECONDS


@pytest.mark.parametrize("status", [301, 400, 404, 410, 503])
def test_only_success_is_an_arrival(ledger: Ledger, receiver: Receiver, status: int) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided())
    receiver.statuses = [status]

    webhook.step(NOT_ENDING)
    webhook.step(NOT_ENDING)
    webhook.step(NOT_ENDING)

    assert positions(receiver) == [2, 2]


def test_a_receiver_that_hangs_gets_the_event_again(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided())
    receiver.statuses = [0]

    with monkeypatch.context() as patch:
        patch.setattr(sending, "ANSWER_SECONDS_MAX", 1.0)
        webhook.step(NOT_ENDING)
    webhook.step(NOT_ENDING)

    assert positions(receiver) == [2, 2]


def test_a_receiver_that_drips_has_not_taken_the_event(
    ledger: Ledger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided())
    with monkeypatch.context() as hurried, DrippingServer(b"HTTP/1.1 204 No Content\r\nX-Slow: ") as dripping:
        hurried.setattr(sending, "ANSWER_SECONDS_MAX", 0.3)
        webhook._url = dripping.url
        webhook.step(NOT_ENDING)
    webhook._url = receiver.url

    webhook.step(NOT_ENDING)

    assert positions(receiver) == [2]


def test_a_receiver_that_has_died_gets_everything_when_it_is_back(ledger: Ledger) -> None:
    process = CollectorRegistry()
    with receiving() as gone:
        append(ledger, aliases_assigned())
        webhook = sender(ledger, gone.url, process=process)
        webhook.step(NOT_ENDING)
    append(ledger, cycle_decided(), aliases_planned())
    webhook.step(NOT_ENDING)
    assert process.get_sample_value("rps_webhook_failures_total") == 1
    assert (process.get_sample_value("rps_webhook_behind_seconds") or 0) > 0

    with receiving() as back:
        sender(ledger, back.url)  # the lease is the first one's
        webhook._url = back.url
        webhook.step(NOT_ENDING)

        assert positions(back) == [2, 3]
    assert process.get_sample_value("rps_webhook_delivered_total") == 2
    assert process.get_sample_value("rps_webhook_behind_seconds") == 0


def test_another_start_goes_on_and_repeats_what_may_not_have_arrived(ledger: Ledger, receiver: Receiver) -> None:
    webhook = started(ledger, receiver)
    append(ledger, cycle_decided(), aliases_planned())
    webhook.step(NOT_ENDING)
    Checkpoint(ledger.engine).reset(2)  # as a kill between the arrival and the note of it leaves it
    webhook._leases.release()

    sender(ledger, receiver.url).step(NOT_ENDING)

    assert positions(receiver) == [2, 3, 3]
    assert receiver.got[1].headers["ce-id"] == receiver.got[2].headers["ce-id"]


def test_one_of_two_processes_sends(ledger: Ledger, receiver: Receiver) -> None:
    webhook, other = started(ledger, receiver), sender(ledger, receiver.url)
    append(ledger, cycle_decided())

    assert other.step(NOT_ENDING) == LOOK_SECONDS
    webhook.step(NOT_ENDING)
    webhook._leases.release()
    append(ledger, aliases_planned())
    other.step(NOT_ENDING)

    assert positions(receiver) == [2, 3]


def test_a_restored_database_that_is_shorter_goes_on_at_its_end(ledger: Ledger, receiver: Receiver) -> None:
    append(ledger, aliases_assigned())
    Checkpoint(ledger.engine).write(100)
    webhook = sender(ledger, receiver.url)
    webhook.step(NOT_ENDING)
    append(ledger, cycle_decided())
    webhook.step(NOT_ENDING)

    assert positions(receiver) == [2]


@pytest.mark.parametrize("host", ["hooks..example", "hööks..example", 64 * "x", "☃.example"])
def test_a_host_that_cannot_be_looked_up_has_not_taken_the_event(
    ledger: Ledger, receiver: Receiver, host: str
) -> None:
    process = CollectorRegistry()
    append(ledger, aliases_assigned())
    webhook = sender(ledger, f"http://{host}/hook", process=process)
    webhook.step(NOT_ENDING)
    append(ledger, cycle_decided())

    webhook.step(NOT_ENDING)
    assert process.get_sample_value("rps_webhook_failures_total") == 1
    webhook._url = receiver.url
    webhook.step(NOT_ENDING)

    assert positions(receiver) == [2]


def test_a_receiver_that_was_down_for_days_gets_what_waited(ledger: Ledger) -> None:
    answers = [503] * 1_100 + [204]
    webhook = scripted(ledger, lambda: answers.pop(0))
    webhook.step(NOT_ENDING)
    append(ledger, cycle_decided())

    waits = [webhook.step(NOT_ENDING) for _ in range(1_100)]
    before = Checkpoint(ledger.engine).read()
    webhook.step(NOT_ENDING)

    assert BACK_OFF_SECONDS_MAX * 0.8 <= min(waits[10:]) <= max(waits) <= BACK_OFF_SECONDS_MAX * 1.2
    assert (before, Checkpoint(ledger.engine).read(), answers) == (1, 2, [])


def test_an_answer_that_comes_late_takes_nothing_back(ledger: Ledger) -> None:
    sent: list[str] = []
    ending = threading.Event()

    def in_time() -> int:
        sent.append("other")
        return 204

    def late() -> int:
        sent.append("this")
        ending.set()  # the process ends, and has let its leases go before the answer is there
        webhook._leases.release()
        other.step(NOT_ENDING)
        return 204

    webhook, other = scripted(ledger, late), scripted(ledger, in_time)
    webhook.step(ending)
    append(ledger, cycle_decided(), aliases_planned(), aliases_assigned())
    webhook.step(ending)

    assert sent == ["this", "other", "other", "other"]
    assert Checkpoint(ledger.engine).read() == 4


def behind(process: CollectorRegistry) -> bool:
    seconds = process.get_sample_value("rps_webhook_behind_seconds")
    assert seconds is not None
    return seconds > 0


@pytest.mark.parametrize("comes_back", [False, True])
def test_what_another_process_has_sent_waits_here_no_longer(ledger: Ledger, *, comes_back: bool) -> None:
    mine, others = CollectorRegistry(), CollectorRegistry()
    answers = [503, 503, 204, 503, 204]
    webhook = scripted(ledger, lambda: answers.pop(0), process=mine)
    other = scripted(ledger, lambda: answers.pop(0), process=others)
    webhook.step(NOT_ENDING)
    append(ledger, cycle_decided())
    webhook.step(NOT_ENDING)
    assert behind(mine)

    let_go(webhook)  # as its lease ends during a long wait
    other.step(NOT_ENDING)
    assert behind(others)
    other.step(NOT_ENDING)
    assert not behind(others)
    if comes_back:
        let_go(other)
    webhook.step(NOT_ENDING)

    assert not behind(mine)
    if comes_back:
        append(ledger, aliases_planned())
        assert webhook.step(NOT_ENDING) <= 1.2, "the first failure of a row"
        assert behind(mine)
        webhook.step(NOT_ENDING)
        assert not behind(mine)


def let_go(webhook: Webhook) -> None:
    """Let its lease end, as time does."""
    webhook._leases.release()
    webhook._renew_at = 0.0


def test_a_service_sends_what_happens_and_a_receiver_that_hangs_keeps_nothing_waiting(
    data_dir: Path, registry: FaultyRegistry, receiver: Receiver
) -> None:
    settings = Settings(data_dir=data_dir, promotion_schedule=None, webhook_url=receiver.url)
    with serving(settings, registry) as client:
        wait_until(lambda: Checkpoint(client.app_state["service"].core.engine).read() is not None)
        receiver.statuses = [200, 0]
        report = {"model_type": "xgboost", "decision": "retain_production"}
        first = ok(client.post(REPORT_PATH, json=report))["event_id"]
        wait_until(lambda: positions(receiver) == [first])
        second = ok(client.post(REPORT_PATH, json=report))["event_id"]
        wait_until(lambda: positions(receiver) == [first, second])

        ok(client.post(REPORT_PATH, json=report))
        assert samples(client, "process")["rps_webhook_delivered_total"] == 1
        receiver.release.set()
