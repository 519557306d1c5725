"""A ledger event as a request to a receiver: a CloudEvent, signed as Standard Webhooks has it.

Sources: CloudEvents 1.0.2, HTTP protocol binding, binary content mode; Standard Webhooks 1.0.0.
"""

import base64
import hashlib
import hmac
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from ledger.codec import Codec
from ledger.entries import Entry
from ledger.errors import UnreadableEventError
from ledger.events import CycleDecided
from ledger.times import show_time
from projections.audit.summaries import summary

SECRET_PREFIX: Final = "whsec_"
MEDIA: Final = "application/json"


class Message(NamedTuple):
    """What is sent; repeated, everything but the time and the signature is the same."""

    headers: dict[str, str]
    body: bytes


def message(entry: Entry, codec: Codec, ledger_id: str) -> Message:
    """The event with all that it is, and a `text` for people."""
    recorded = show_time(entry.recorded_us)
    body = msgspec.json.encode(
        {
            "text": _text(entry, codec),
            "position": entry.position,
            "event_id": entry.event_id,
            "stream": entry.stream,
            "version": entry.version,
            "type": entry.type,
            "schema_version": entry.schema_version,
            "recorded": recorded,
            "payload": Raw(entry.payload),
        }
    )
    headers = {
        "Content-Type": MEDIA,
        "ce-specversion": "1.0",
        "ce-id": entry.event_id,
        "ce-source": f"/ledgers/{ledger_id}",
        "ce-type": entry.type,
        "ce-subject": entry.stream,
        "ce-time": recorded,
    }
    return Message(headers, body)


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows who has sent a message, and that nothing of it was changed."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{digest}",
    }


def secret_bytes(text: str) -> bytes:
    """The key behind the text of a secret. Raises ValueError."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"it has to begin with {SECRET_PREFIX}")
    return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)


def _text(entry: Entry, codec: Codec) -> str:
    try:
        event: Any = codec.decode(entry.type, entry.schema_version, entry.payload)
    except UnreadableEventError as error:
        return f"{entry.type} at position {entry.position}: {error.problem}"
    said = f"{event.model_type}: {summary(event)}"
    return f"{said}. {event.reason}" if isinstance(event, CycleDecided) else said
