"""The ids of signed requests that have come lately, so that one that is sent again counts once."""

import time
from collections import OrderedDict
from collections.abc import Callable

FRESH_SECONDS = 300
"""A request that was signed longer ago, or so far ahead, is refused."""
DELIVERIES_MAX = 10_000


class Deliveries:
    """The ids of fresh deliveries, each of which counts once. An older one is refused by its time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def is_new(self, delivery_id: str) -> bool:
        """Whether it comes for the first time."""
        now = self.clock()
        while self._seen and now - self._seen[oldest := next(iter(self._seen))] > 2 * FRESH_SECONDS:
            del self._seen[oldest]
        if delivery_id in self._seen:
            return False
        if len(self._seen) >= DELIVERIES_MAX:
            self._seen.popitem(last=False)
        self._seen[delivery_id] = now
        return True
