import base64
import hashlib
import hmac
import json

import pytest

from gameplay.serving.cloud_events import message, secret_bytes, signature
from ledger.codec import Codec
from ledger.entries import Entry
from ledger.events import Event
from tests.builders import aliases_assigned, cycle_decided, rule_set
from tests.projections.stories import entries


def entry_of(event: Event) -> Entry:
    ((entry, _),) = entries([event])
    return entry


def test_a_cloud_event_has_what_names_it_in_its_headers_and_its_body() -> None:
    entry = entry_of(cycle_decided())

    sent = message(entry, Codec(), "0199")

    body = json.loads(sent.body)
    assert sent.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": entry.event_id,
        "ce-source": "/ledgers/0199",
        "ce-type": "promotion.cycle_decided",
        "ce-subject": "promotion-feedforward_nn",
        "ce-time": body["recorded"],
    }
    assert (body["event_id"], body["type"], body["stream"]) == (entry.event_id, entry.type, entry.stream)
    assert entry.payload in sent.body


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            cycle_decided(reason="B won."),
            "feedforward_nn: cycle 1, schedule: swap_production_b, better. B won",
        ),
        (aliases_assigned(), "feedforward_nn: bootstrap: Production v1"),
        (rule_set(), "feedforward_nn: anytime-sign/1"),
    ],
)
def test_the_text_says_what_happened(event: Event, words: str) -> None:
    text = json.loads(message(entry_of(event), Codec(), "x").body)["text"]

    assert text.startswith(words)


def test_an_event_of_another_release_is_sent_all_the_same() -> None:
    entry = entry_of(cycle_decided())._replace(schema_version=99)

    body = json.loads(message(entry, Codec(), "x").body)

    assert body["text"].startswith("promotion.cycle_decided at position 1: ")
    assert body["payload"]["cycle"] == 1


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks' own libraries."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_another_body_has_another_signature() -> None:
    one, other = (signature(b"key", "id", 1, body)["webhook-signature"] for body in (b"{}", b"{} "))

    assert one != other
    expected = hmac.new(b"key", b"id.1.{}", hashlib.sha256).digest()
    assert base64.b64decode(one.removeprefix("v1,")) == expected


def test_a_secret_without_its_prefix_is_none() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secret_bytes("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
