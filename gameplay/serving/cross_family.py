"""What the families that do not play a game would have predicted of it: counted, and deciding nothing.

It happens beside the game. A round is offered when its answer is already durable; a bounded queue takes it or
drops it; a task of its own has the predictions made on a thread and appends them, on a stream of their own, with
the same group commit as the games.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gameplay.game.games import prediction_events
from gameplay.serving.play import Predictor, Row
from gameplay.serving.tracking import Draws
from ledger.errors import LedgerError
from ledger.events import Assignment, Event, GameStarted
from ledger.streams import shadow_stream
from ledger.vocabulary import FAMILIES, Family, Move
from ledger.writer import Writer
from projections.errors import ProjectionError
from projections.read_models.families import Families

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1_000
BATCH_MAX: Final = 50
GATHER_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 3.0
BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Waiting(NamedTuple):
    """A round that was played and is still to be predicted."""

    started: GameStarted
    round_no: int
    row: Row
    actual: Move
    offered_seconds: float

    def size_bytes(self) -> int:
        """What it holds on to while it waits; the game itself is kept by the service anyway."""
        return sys.getsizeof(self) + sys.getsizeof(self.row) + sys.getsizeof(self.offered_seconds)


class CrossFamily:
    """The predictions beside the games of one process. Used on one event loop."""

    def __init__(
        self,
        writer: Writer,
        families: Families,
        predictor: Predictor,
        process: CollectorRegistry,
        *,
        draws: Draws,
        waiting_max: int = WAITING_MAX,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._writer = writer
        self._families = families
        self._predictor = predictor
        self._draws = draws
        self._clock = clock
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(waiting_max)
        self._waiting_bytes = 0
        self._alone = anyio.CapacityLimiter(1)
        self._task: asyncio.Task[None] | None = None
        self._register(process)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def offer(self, started: GameStarted, round_no: int, row: Row, actual: Move) -> None:
        """Take a round, if its game is not known to be left out; never waits."""
        if self._task is None or self._draws.known(started.game_id) is False:
            return
        waiting = Waiting(started, round_no, row, actual, self._clock())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            self._dropped.labels("full").inc()
        else:
            self._waiting_bytes += waiting.size_bytes()

    async def close(self) -> None:
        """Finish what is waiting, but not for ever; what is left is dropped and counted."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), CLOSE_SECONDS)
        self._dropped.labels("closed").inc(self._queue.qsize())
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            try:
                await self._gather(batch)
                await self._take(batch)
            except (LedgerError, ProjectionError) as error:
                log.warning("%d rounds were not predicted by the other families: %s", len(batch), error)
                self._dropped.labels("failed").inc(len(batch))
            except asyncio.CancelledError:
                self._dropped.labels("closed").inc(len(batch))  # in hand, and no longer waited for
                raise
            except BaseException:  # the task's outermost loop: no round may end it
                log.exception("%d rounds were not predicted by the other families", len(batch))
                self._dropped.labels("failed").inc(len(batch))
            finally:
                for waiting in batch:
                    self._waiting_bytes -= waiting.size_bytes()
                    self._queue.task_done()

    async def _gather(self, batch: list[Waiting]) -> None:
        """Add what waits, after a moment: a thread is woken for each batch, and no round is in a hurry."""
        if len(batch) + self._queue.qsize() < BATCH_MAX:
            await asyncio.sleep(GATHER_SECONDS)
        while len(batch) < BATCH_MAX and not self._queue.empty():
            batch.append(self._queue.get_nowait())

    async def _take(self, batch: Sequence[Waiting]) -> None:
        chosen, by_game = await anyio.to_thread.run_sync(self._predict, batch, limiter=self._alone)
        outcomes = await asyncio.gather(
            *(self._writer.append(shadow_stream(game_id), events, None) for game_id, events in by_game.items()),
            return_exceptions=True,
        )
        failed = {
            game_id: outcome
            for game_id, outcome in zip(by_game, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        }
        now_seconds = self._clock()
        for waiting in chosen:
            if waiting.started.game_id in failed:
                self._dropped.labels("failed").inc()
            else:
                self._seconds.observe(now_seconds - waiting.offered_seconds)
        for game_id, problem in failed.items():
            log.warning("game %s was not predicted by the other families: %s", game_id, problem)

    def _predict(self, batch: Sequence[Waiting]) -> tuple[list[Waiting], dict[str, list[Event]]]:
        """The rounds of games that are drawn; the events of each, with the versions behind the aliases now."""
        self._draws.draw([waiting.started for waiting in batch])
        chosen = [waiting for waiting in batch if self._draws.known(waiting.started.game_id)]
        if not chosen:
            return [], {}
        assignments = self._assignments()
        by_game: dict[str, list[Event]] = {}
        for started, round_no, row, actual, _ in chosen:
            events = by_game.setdefault(started.game_id, [])
            for family, assignment in assignments.items():
                if family != started.model_type:
                    for prediction in self._predictor.predict(family, assignment, row):
                        events += prediction_events(started, family, round_no, prediction, actual, served=False)
        return chosen, {game_id: events for game_id, events in by_game.items() if events}

    def _assignments(self) -> dict[Family, Assignment]:
        with self._families.current() as families:
            found = {family: families[family].assignment() for family in FAMILIES}
        return {family: assignment for family, assignment in found.items() if assignment is not None}

    def _register(self, process: CollectorRegistry) -> None:
        self._dropped = Counter(
            "rps_cross_family_dropped",
            "Rounds that the other families did not predict: the queue was full, it failed, or the service ended.",
            ("reason",),
            registry=process,
        )
        for reason in ("full", "failed", "closed"):
            self._dropped.labels(reason)
        self._seconds = Histogram(
            "rps_cross_family_seconds",
            "From a round's answer to the durable predictions of the other families.",
            buckets=BUCKETS_SECONDS,
            registry=process,
        )
        gauges = {
            "rps_cross_family_waiting": ("Rounds that wait for the other families.", lambda: self._queue.qsize()),
            "rps_cross_family_waiting_bytes": ("Memory that these hold.", lambda: self._waiting_bytes),
        }
        for name, (help_, read) in gauges.items():
            Gauge(name, help_, registry=process).set_function(read)
