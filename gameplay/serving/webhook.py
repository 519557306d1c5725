"""Every promotion event to one address: at least once, in order, from a checkpoint in the database.

A receiver that is down, hangs or answers with an error delays nothing but its own events. Each is sent again, with
the same id, until it is taken, and the next one waits for that.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx2
from prometheus_client import CollectorRegistry, Counter, Gauge

from gameplay.models.deadlines import Calls, LateError
from gameplay.serving.cloud_events import message, signature
from gameplay.serving.leases import Leases
from gameplay.serving.webhook_checkpoint import Checkpoint
from ledger.entries import Entry
from ledger.errors import StorageError
from ledger.events import EVENT_TYPES
from ledger.identity import read_id
from ledger.store import Ledger

log = logging.getLogger(__name__)

TYPES: Final = tuple(name for name in EVENT_TYPES if name.startswith("promotion."))
LEASE: Final = "webhook"
LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS_MAX: Final = 10.0
BACK_OFF_SECONDS_MAX: Final = 300.0
LEASE_SECONDS: Final = 3 * ANSWER_SECONDS_MAX
SCANNED_MAX: Final = 20_000
"""Entries that one look reads through: promotion events are rare, and no index finds them."""
PAGE: Final = 100

Post = Callable[[str, bytes, Mapping[str, str]], int]
"""Sends a body to an address; the status of the answer. Raises what is in NOT_TAKEN."""
NOT_TAKEN: Final = (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, LateError)
"""The middle two say that a host has a name which cannot be looked up."""


class WebhookMetrics:
    """What a scrape shows of the webhook, with or without one."""

    def __init__(self, process: CollectorRegistry) -> None:
        self.delivered = Counter("rps_webhook_delivered", "Events that the receiver has taken.", registry=process)
        self.failures = Counter("rps_webhook_failures", "Attempts that it has not.", registry=process)
        self.behind = Gauge(
            "rps_webhook_behind_seconds", "Age of the oldest event that waits; 0 without one.", registry=process
        )


class Webhook:
    """Sends on a thread of its own. Of several processes the one that has the lease sends."""

    def __init__(
        self,
        ledger: Ledger,
        leases: Leases,
        metrics: WebhookMetrics,
        url: str,
        secret: bytes | None,
        *,
        post: Post | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._leases = leases
        self._metrics = metrics
        self._url = url
        self._secret = secret
        self._post = post or _PostInTime()
        self._clock = clock
        self._checkpoint = Checkpoint(ledger.engine)
        self._looked = 0
        self._renew_at = 0.0
        self._failures = 0

    def run(self, ending: threading.Event) -> None:
        """Send what comes, until the end."""
        seconds = 0.0
        while not ending.wait(seconds):
            try:
                seconds = self.step(ending)
            except StorageError as error:
                log.warning("the webhook waits for the database: %s", error)
                seconds = LOOK_SECONDS

    def step(self, ending: threading.Event) -> float:
        """Send what is there; the seconds until the next look. Raises StorageError."""
        if not self._may_send():
            self._looked = 0  # another process moves the checkpoint
            self._metrics.behind.set(0)  # and knows what waits
            return LOOK_SECONDS
        after = max(self._start(), self._looked)
        head = self._ledger.head().position
        through = min(head, after + SCANNED_MAX)
        entries = self._ledger.read(after, limit=PAGE, through=through, types=TYPES)
        for entry in entries:
            if ending.is_set() or not self._may_send():
                return LOOK_SECONDS
            if (problem := self._send(entry)) is not None:
                return self._back_off(entry, problem)
            self._arrived(entry)
        if not entries:
            # What this process could not send, another one has sent.
            self._metrics.behind.set(0)
            self._failures = 0
        self._looked = entries[-1].position if len(entries) == PAGE else through
        if self._looked - (entries[-1].position if entries else after) >= SCANNED_MAX:
            self._checkpoint.write(self._looked)  # so that a restart need not read through it again
        return LOOK_SECONDS if self._looked == head else 0.0

    def _may_send(self) -> bool:
        """Whether this process has the lease, which is renewed long before it ends."""
        now = time.monotonic()
        if now >= self._renew_at:
            if not self._leases.take(LEASE, LEASE_SECONDS):
                return False
            self._renew_at = now + LEASE_SECONDS / 3
        return True

    def _start(self) -> int:
        """Where to go on. The first start with a webhook begins with what comes next."""
        position, head = self._checkpoint.read(), self._ledger.head().position
        if position is not None and position <= head:
            return position
        if position is not None:
            log.warning("the webhook had got to position %d, and the ledger ends at %d", position, head)
        self._checkpoint.reset(head)
        return head

    def _send(self, entry: Entry) -> str | None:
        """Why the receiver has not taken it; None where it has."""
        headers, body = message(entry, self._ledger.codec, read_id(self._ledger.engine))
        if self._secret is not None:
            headers |= signature(self._secret, entry.event_id, int(self._clock()), body)
        try:
            status = self._post(self._url, body, headers)
        except NOT_TAKEN as error:
            return f"{type(error).__name__}: {error}"
        return None if 200 <= status < 300 else f"status {status}"

    def _arrived(self, entry: Entry) -> None:
        self._checkpoint.write(entry.position)
        self._metrics.delivered.inc()
        self._metrics.behind.set(0)
        if self._failures:
            log.info("the webhook's receiver has taken position %d after all", entry.position)
        self._failures = 0

    def _back_off(self, entry: Entry, problem: str) -> float:
        self._failures += 1
        self._metrics.failures.inc()
        self._metrics.behind.set(max(self._clock() - entry.recorded_us / 1_000_000, 0.0))
        if self._failures == 1:
            # Only the first of a row of failures; the address may itself be a secret.
            log.warning("the webhook's receiver has not taken position %d: %s", entry.position, problem)
        # The power is bounded too: a receiver that is down for days makes it larger than any float.
        seconds = min(2.0 ** min(self._failures - 1, 16), BACK_OFF_SECONDS_MAX)
        return seconds * random.uniform(0.8, 1.2)


class _PostInTime:
    """One deadline for the whole answer: a time-out for each read would let a receiver drip for ever."""

    def __init__(self) -> None:
        self._calls = Calls("webhook", calls_max=4)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        return self._calls.run("POST", ANSWER_SECONDS_MAX, lambda _wanted: _post(url, body, headers))


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    # The answer's body is not read. A redirect is none of those that the operator has named.
    with httpx2.stream(
        "POST", url, content=body, headers=dict(headers), timeout=ANSWER_SECONDS_MAX, follow_redirects=False
    ) as answer:
        return answer.status_code
