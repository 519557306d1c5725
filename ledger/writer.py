"""Group commit: one thread writes whatever is waiting with one commit and answers every caller.

A commit costs a disk flush. Sixty-four callers who each pay for their own get a few thousand events a
second; sharing one flush gets ten times that with the same durability. The queue is bounded: when it is full
the caller hears so at once, which is better than an answer that comes too late.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from ledger.appends import Append, Provided, Receipt
from ledger.engines.beside import Beside
from ledger.errors import BusyError, ClosedError, LedgerError, StorageError
from ledger.events import Event
from ledger.store import Held, Ledger

log = logging.getLogger(__name__)

QUEUE_EVENTS_MAX = 10_000
BATCH_APPENDS_MAX = 500
GATHERED_APPENDS_MAX = 8
"""So many are handed over without a look at what the next turn of the loop brings."""


class _Waiting(NamedTuple):
    append: Append
    answer: "asyncio.Future[Receipt]"


class Writer:
    """The asynchronous way into a ledger; made and used on one event loop.

    All state but the queue and the connection belongs to the loop, so there is no lock.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        queue_events_max: int = QUEUE_EVENTS_MAX,
        then: Callable[[], None] | None = None,
    ) -> None:
        """`then` is called on the loop after each batch, once its callers have gone on. It may not raise."""
        self.queue_events_max = queue_events_max
        self.unanswered_events = 0
        self._ledger = ledger
        self._then = then
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Waiting] = []
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._held: Held | None = None
        """The thread's own, from its first batch on."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    async def append(
        self,
        stream: str,
        new: Sequence[Event],
        expected_version: int | None,
        *,
        ids: Sequence[str] | None = None,
        beside: Beside | None = None,
        provided: Provided = (),
    ) -> Receipt:
        """As `Ledger.append`, with what `Ledger.prepare` takes beside it; returns once the events are durable.

        Raises BusyError when the queue is full and ClosedError after `close`, beside what the ledger raises.
        """
        if self._closed:
            raise ClosedError
        assert len(new) <= self.queue_events_max, "an append larger than the queue would never get in"
        if self.unanswered_events + len(new) > self.queue_events_max:
            raise BusyError(self.unanswered_events, self.queue_events_max)
        append = self._ledger.prepare(stream, new, expected_version, ids=ids, beside=beside, provided=provided)
        answer: asyncio.Future[Receipt] = self._loop.create_future()
        self.unanswered_events += len(new)
        self._gathered.append(_Waiting(append, answer))
        if len(self._gathered) == 1:
            self._loop.call_soon(self._gather, 0)
        return await answer

    def is_alive(self) -> bool:
        """Whether there is still a thread that writes."""
        return self._thread.is_alive()

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    def _gather(self, before: int) -> None:
        """Hand over what has come, or wait for the next turn of the loop while each brings more.

        Woken by the first append, the thread would pay a disk flush for that one alone while its neighbours wait,
        and take the interpreter from the very requests that bring them.
        """
        if before < (now := len(self._gathered)) < GATHERED_APPENDS_MAX:
            self._loop.call_soon(self._gather, now)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            while len(batch) < BATCH_APPENDS_MAX:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                batch += more
            outcomes = self._write(batch)
            # One wake-up for the whole batch: a call for each future would cost more than the commit.
            self._loop.call_soon_threadsafe(self._answer, batch, outcomes)
        if self._held is not None:
            self._held.close()

    def _write(self, batch: list[_Waiting]) -> Sequence[Receipt | LedgerError]:
        try:
            self._held = self._held or self._ledger.connect()
            return self._ledger.append_all([waiting.append for waiting in batch], on=self._held)
        except StorageError as error:
            return [_anew(error) for _ in batch]
        except BaseException as error:  # the thread's outermost loop: a dead writer would hang every caller
            log.exception("the writer failed on a batch of %d appends", len(batch))
            return [StorageError(f"the writer failed: {error}") for _ in batch]

    def _answer(self, batch: list[_Waiting], outcomes: Sequence[Receipt | LedgerError]) -> None:
        for waiting, outcome in zip(batch, outcomes, strict=True):
            self.unanswered_events -= len(waiting.append.events)
            if waiting.answer.done():  # the caller was cancelled; its events are written all the same
                continue
            if isinstance(outcome, LedgerError):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(outcome)
        if self._then is not None:
            self._loop.call_soon(self._then)


def _anew(error: StorageError) -> StorageError:
    """The same error for one of several callers: one that all of them raise collects the tracebacks of all."""
    anew = type(error).__new__(type(error), *error.args)
    vars(anew).update(vars(error))
    return anew
