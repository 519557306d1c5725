"""Hints that an outside tool moves aliases in the registry: its whole state is adopted when it has come to rest.

A tool that exchanges two aliases makes two calls, and each is announced. Adopted between them, the exchange would
be no exchange. So a hint says only that there is something to look at.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from gameplay.models.errors import ModelError
from gameplay.promotion.adoption import adopt
from gameplay.promotion.state import Promotion
from gameplay.refusals import Refusal
from gameplay.serving.threads import Threads
from ledger.errors import LedgerError
from ledger.vocabulary import Alias, Family

Found = TypeVar("Found")

log = logging.getLogger(__name__)

REST_SECONDS = 2.0


class RegistryHints:
    """Follows each hint on a thread of its own, one for each family; a hint during that makes it wait again."""

    def __init__(self, promotion: Promotion, threads: Threads, *, rest_seconds: float = REST_SECONDS) -> None:
        self._promotion = promotion
        self._threads = threads
        self._rest_seconds = rest_seconds
        self._hinted_at: dict[Family, float] = {}
        self._alone = threading.Lock()
        self._ending = threading.Event()

    def hint(self, family: Family) -> None:
        """Something has moved, or is moving, in the registry."""
        with self._alone:
            is_followed = family in self._hinted_at
            self._hinted_at[family] = time.monotonic()
        if not is_followed:
            self._threads.start(f"registry-hint-{family}", lambda: self._follow(family))

    def close(self) -> None:
        """Follow no hint any more."""
        self._ending.set()

    def _follow(self, family: Family) -> None:
        seen: Mapping[Alias, int] | None = None
        while not self._ending.wait(self._rest_seconds):
            found = self._look(family)
            if found is None:
                # MLflow announces a move once. The watch goes on where this look has failed or met our own plan.
                self._promotion.to_adopt.add(family)
            with self._alone:
                rested = time.monotonic() - self._hinted_at[family] >= self._rest_seconds
                if found is None or (rested and found == seen):
                    del self._hinted_at[family]
                    break
            seen = found
        if seen is not None and found is not None and not self._ending.is_set():
            self._attempt(family, lambda: adopt(self._promotion, family))

    def _look(self, family: Family) -> Mapping[Alias, int] | None:
        """The registry's aliases; None where they cannot be read, or a plan of ours moves them."""

        def look() -> Mapping[Alias, int] | None:
            plan = self._promotion.state(family).promotion.plan
            return None if plan and not plan.waits else self._promotion.backends.aliases(family)

        return self._attempt(family, look)

    def _attempt(self, family: Family, attempt: Callable[[], Found]) -> Found | None:
        try:
            return attempt()
        except (ModelError, Refusal, LedgerError) as error:
            log.warning("%s: a hint from the registry could not be followed: %s", family, error)
            return None
