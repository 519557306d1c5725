"""The newest entries as this process has appended them: whoever follows those need not read them again."""

import threading
from collections.abc import Sequence

from ledger.entries import Entry, Head, head_of

ENTRIES_MAX = 10_000


class Recent:
    """Entries that follow each other without a gap. Any thread may add and ask.

    They were the ledger's when they were added. Whether they still are is for the one who asks to find out: a
    ledger may be restored to what it was before.
    """

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._before = head_of(None)
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, before: Head, entries: Sequence[Entry]) -> None:
        """Take in entries that were appended after `before`, and let go of what does not lead up to them."""
        with self._lock:
            if not self._entries or not _is_at(self._entries[-1], before):
                self._before, self._entries = before, []
            self._entries += entries
            # By halves: to move all of them up for each batch would take longer than the batch.
            if len(self._entries) > 2 * self._entries_max:
                dropped, self._entries = self._entries[: -self._entries_max], self._entries[-self._entries_max :]
                self._before = dropped[-1].head

    def after(self, head: Head, limit: int) -> list[Entry]:
        """At most `limit` entries that follow `head`; none where what follows it is not known."""
        with self._lock:
            skipped = head.position - self._before.position
            if not 0 <= skipped <= len(self._entries):
                return []
            found = self._before if skipped == 0 else self._entries[skipped - 1]
            return self._entries[skipped : skipped + limit] if _is_at(found, head) else []

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._entries = []


def _is_at(one: Entry | Head, head: Head) -> bool:
    return (one.position, one.chain_hash) == (head.position, head.chain_hash)
