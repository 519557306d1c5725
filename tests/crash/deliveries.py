"""What the webhook's receiver was sent, beside the promotion events that the ledger has."""

import json
from itertools import groupby, pairwise

from gameplay.serving.webhook import TYPES
from ledger.store import Ledger
from tests.gameplay.serving.receivers import Receiver


class Deliveries:
    """The deliveries of all lives: the first process with a webhook begins with what came after its start."""

    def __init__(self, ledger: Ledger, receiver: Receiver) -> None:
        self._ledger = ledger
        self._receiver = receiver

    def check(self) -> None:
        """Every event came in its order, left none out, and came again only as it had come first."""
        came = [(json.loads(one.body)["position"], one.headers["ce-id"], one.body) for one in self._receiver.got]
        assert all(before <= after for (before, *_), (after, *_) in pairwise(came)), "events came out of order"
        for position, same in groupby(came, key=lambda one: one[0]):
            assert len(set(same)) == 1, f"position {position} came again as another event"
        if came:
            arrived = sorted({position for position, *_ in came})
            written = [position for position, _ in self._written(arrived[0] - 1)]
            assert arrived == written[: len(arrived)], "an event was left out"
            ids = dict(self._written(arrived[0] - 1))
            assert {position: event_id for position, event_id, _ in came}.items() <= ids.items()

    def are_complete(self) -> bool:
        """Whether the newest promotion event has arrived."""
        written = self._written(0)
        newest = json.loads(self._receiver.got[-1].body)["position"] if self._receiver.got else 0
        return not self._receiver.got or newest == written[-1][0]

    def _written(self, after: int) -> list[tuple[int, str]]:
        entries = self._ledger.read(after, limit=1_000_000, types=TYPES)
        return [(entry.position, entry.event_id) for entry in entries]
