"""A webhook's receiver in memory, with every way to fail, and the sender that a process has for it."""

import json
import threading
from collections.abc import Mapping
from itertools import groupby
from typing import Literal, NamedTuple

import httpx2
from prometheus_client import CollectorRegistry

from gameplay.models.deadlines import LateError
from gameplay.serving import webhook
from gameplay.serving.leases import Leases
from gameplay.serving.webhook import Webhook, WebhookMetrics
from ledger.store import Ledger
from tests.gameplay.faults import CrashError

Mood = Literal[
    "takes", "refuses", "redirects", "hangs", "is gone", "takes and hangs", "takes, and the sender dies"
]
STATUSES = {"takes": 204, "takes, and the sender dies": 204, "refuses": 500, "redirects": 301}
TAKES: tuple[Mood, ...] = ("takes", "takes and hangs", "takes, and the sender dies")
NEVER_ENDING = threading.Event()


class Taken(NamedTuple):
    """A delivery that the receiver has taken in."""

    position: int
    event_id: str
    body: bytes


class WebhookReceiver:
    """Takes what a sender posts, or not, by its mood; it never looks into the ledger."""

    def __init__(self) -> None:
        self.mood: Mood = "takes"
        self.taken: list[Taken] = []

    def __call__(self, _url: str, body: bytes, headers: Mapping[str, str]) -> int:
        if self.mood in TAKES:
            self.taken.append(Taken(json.loads(body)["position"], headers["ce-id"], body))
        if self.mood in ("hangs", "takes and hangs"):
            raise LateError("the receiver did not answer")
        if self.mood == "is gone":
            raise httpx2.ConnectError("the receiver is gone")
        return STATUSES[self.mood]

    def deliver(self, ledger: Ledger, mood: Mood) -> None:
        """A process that has just started sends what it finds to send."""
        self.mood = mood
        leases = Leases(ledger.engine)
        sender = Webhook(ledger, leases, WebhookMetrics(CollectorRegistry()), "http://receiver", None, post=self)
        try:
            if mood == "takes, and the sender dies":
                sender._arrived = _die  # type: ignore[method-assign, assignment]
            while sender.step(NEVER_ENDING) == 0:
                pass
        except CrashError:
            pass
        finally:
            leases.release()

    def check(self, written: Mapping[int, str]) -> None:
        """Of what was written (position -> id) a beginning came: in order, without a gap, under its own ids."""
        came = [position for position, _ in groupby(self.taken, key=lambda one: one.position)]
        assert came == sorted(written)[: len(came)], f"{came} came of {sorted(written)}"
        for position, same in groupby(self.taken, key=lambda one: one.position):
            found = {(one.event_id, one.body) for one in same}
            assert len(found) == 1, f"position {position} came again as another event"
            assert {event_id for event_id, _ in found} == {written[position]}


def _die(*_: object) -> None:
    raise CrashError


TYPES = webhook.TYPES
