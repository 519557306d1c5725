import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Never

import pytest
from sqlalchemy import Engine

from ledger.appends import Append, Receipt
from ledger.engines.database import writing
from ledger.errors import (
    BusyError,
    ClockError,
    ClosedError,
    ConflictError,
    DiskFullError,
    InvalidEventError,
    ReplacedError,
    StorageError,
    UnavailableError,
)
from ledger.schema import events
from ledger.store import Held, Ledger
from ledger.writer import GATHERED_APPENDS_MAX, Writer
from tests.builders import game_started, round_played
from tests.ledger.chains import assert_intact
from tests.postgresql import EVERY_ENGINE, refusing

pytestmark = EVERY_ENGINE

Outcome = Receipt | BaseException


async def together(*appends: Coroutine[None, None, Receipt]) -> list[Outcome]:
    return await asyncio.gather(*appends, return_exceptions=True)


def commits_of(ledger: Ledger) -> int:
    """How many commits have written the log: the entries of one bear one time, and no other has it."""
    return len({entry.recorded_us for entry in ledger.read()})


def test_concurrent_appends_get_their_own_receipts(ledger: Ledger) -> None:
    async def scenario() -> list[Outcome]:
        async with Writer(ledger) as writer:
            return await together(*(writer.append(f"game-{n}", [game_started()] * n, 0) for n in range(1, 9)))

    outcomes = asyncio.run(scenario())

    entries = ledger.read()
    assert_intact(entries)
    for n, outcome in enumerate(outcomes, start=1):
        assert isinstance(outcome, Receipt)
        own = [entry for entry in entries if entry.stream == f"game-{n}"]
        assert (outcome.first_position, outcome.last_position) == (own[0].position, own[-1].position)
        assert outcome.version == len(own) == n


def test_appends_of_one_turn_share_a_commit(ledger: Ledger) -> None:
    async def scenario() -> None:
        async with Writer(ledger) as writer:
            await together(*(writer.append(f"game-{n}", [game_started()], 0) for n in range(300)))

    asyncio.run(scenario())

    assert commits_of(ledger) == 1
    assert ledger.head().position == 300


def test_appends_of_many_turns_share_commits_while_the_disk_is_slow(ledger: Ledger, engine: Engine) -> None:
    async def scenario() -> None:
        async with Writer(ledger) as writer:
            # The process that holds the write lock makes the writer wait; meanwhile the loop goes on turning.
            with engine.connect() as holder, writing(holder, [events]).begin():
                tasks = []
                for n in range(100):
                    tasks.append(asyncio.create_task(writer.append(f"game-{n}", [game_started()], 0)))
                    await asyncio.sleep(0)
                await asyncio.sleep(0)  # the last one has only been made
                await asyncio.sleep(0)  # and handed over
            await asyncio.gather(*tasks)

    asyncio.run(scenario())

    assert commits_of(ledger) <= 2, "that of the append that found the lock taken, and all the others'"
    assert ledger.head().position == 100


@pytest.mark.parametrize(
    ("turns", "commits"), [(2, 1), (5, 1), (GATHERED_APPENDS_MAX, 1), (3 * GATHERED_APPENDS_MAX, 3)]
)
def test_appends_are_gathered_while_each_turn_brings_more(ledger: Ledger, turns: int, commits: int) -> None:
    async def scenario() -> None:
        async with Writer(ledger) as writer:
            tasks = []
            for n in range(turns):
                tasks.append(asyncio.create_task(writer.append(f"game-{n}", [game_started()], 0)))
                await asyncio.sleep(0)
                time.sleep(0.005)  # what was handed over is written before the next turn
            await asyncio.gather(*tasks)

    asyncio.run(scenario())

    assert commits_of(ledger) <= commits
    assert ledger.head().position == turns


def test_what_comes_after_a_batch_is_called_once_its_callers_have_gone_on(ledger: Ledger) -> None:
    happened: list[str] = []

    async def caller(writer: Writer, name: str) -> None:
        for number in range(2):
            await writer.append(f"game-{name}", [game_started()], number)
            happened.append(name)

    async def scenario() -> None:
        async with Writer(ledger, then=lambda: happened.append("then")) as writer:
            await asyncio.gather(caller(writer, "a"), caller(writer, "b"))
            await asyncio.sleep(0)

    asyncio.run(scenario())

    assert happened == ["a", "b", "then", "a", "b", "then"]


def test_a_conflict_fails_no_other_of_its_batch(ledger: Ledger) -> None:
    async def scenario() -> list[Outcome]:
        async with Writer(ledger) as writer:
            return await together(
                writer.append("game-g1", [game_started()], 0),
                writer.append("game-g1", [game_started()], 0),
                writer.append("game-g2", [game_started()], 5),
                writer.append("game-g3", [round_played(round=0)], 0),
                writer.append("game-g4", [game_started()], 0),
            )

    outcomes = asyncio.run(scenario())

    assert [type(outcome) for outcome in outcomes] == [
        Receipt,
        ConflictError,
        ConflictError,
        InvalidEventError,
        Receipt,
    ]
    assert [entry.stream for entry in ledger.read()] == ["game-g1", "game-g4"]


def test_a_full_queue_is_said_at_once(ledger: Ledger) -> None:
    async def scenario() -> None:
        async with Writer(ledger, queue_events_max=5) as writer:
            outcomes = await together(
                writer.append("game-g1", [game_started(), round_played(), round_played()], 0),
                writer.append("game-g2", [game_started(), round_played(), round_played()], 0),
                writer.append("game-g3", [game_started(), round_played()], 0),
                writer.append("game-g4", [game_started()], 0),
            )
            assert [type(outcome) for outcome in outcomes] == [Receipt, BusyError, Receipt, BusyError]
            assert isinstance(outcomes[3], BusyError)
            assert (outcomes[3].waiting, outcomes[3].limit) == (5, 5)
            # Once they are answered there is room again.
            assert writer.unanswered_events == 0
            await writer.append("game-g4", [game_started()], 0)

    asyncio.run(scenario())

    assert [entry.stream for entry in ledger.read()] == ["game-g1"] * 3 + ["game-g3"] * 2 + ["game-g4"]


def test_a_closed_writer_takes_nothing(ledger: Ledger) -> None:
    async def scenario() -> None:
        writer = Writer(ledger)
        await writer.append("game-g1", [game_started()], 0)
        await writer.close()
        await writer.close()
        with pytest.raises(ClosedError):
            await writer.append("game-g1", [round_played()], 1)

    asyncio.run(scenario())

    assert ledger.head().position == 1


def test_closing_writes_what_waits(ledger: Ledger) -> None:
    async def scenario() -> list[Receipt]:
        writer = Writer(ledger)
        tasks = [asyncio.create_task(writer.append(f"game-{n}", [game_started()], 0)) for n in range(50)]
        await asyncio.sleep(0)
        await writer.close()
        assert ledger.head().position == 50
        return await asyncio.gather(*tasks)

    receipts = asyncio.run(scenario())

    assert [receipt.first_position for receipt in receipts] == list(range(1, 51))


def test_a_caller_that_is_cancelled_loses_nothing(ledger: Ledger, engine: Engine) -> None:
    async def scenario() -> None:
        async with Writer(ledger) as writer:
            with engine.connect() as holder, writing(holder, [events]).begin():
                before = asyncio.create_task(writer.append("game-g1", [game_started()], 0))
                await asyncio.sleep(0)
                before.cancel()  # not yet with the thread
                during = asyncio.create_task(writer.append("game-g2", [game_started()], 0))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                during.cancel()  # with the thread, which waits for the lock
                outcomes = await asyncio.gather(before, during, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
            await writer.append("game-g3", [game_started()], 0)
            assert writer.unanswered_events == 0

    asyncio.run(scenario())

    assert [entry.stream for entry in ledger.read()] == ["game-g1", "game-g2", "game-g3"]


def test_a_storage_error_reaches_every_caller_and_the_writer_goes_on(ledger: Ledger, engine: Engine) -> None:
    async def scenario() -> None:
        async with Writer(ledger) as writer:
            with refusing(engine, "events"):
                outcomes = await together(*(writer.append(f"game-{n}", [game_started()], 0) for n in range(3)))
            assert [str(outcome) for outcome in outcomes] == ["the database refused: the disk is full"] * 3
            assert all(isinstance(outcome, StorageError) for outcome in outcomes)
            assert writer.unanswered_events == 0
            await writer.append("game-0", [game_started()], 0)

    asyncio.run(scenario())

    assert ledger.head().position == 1


def test_a_bug_in_the_thread_hangs_no_caller(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    times = iter([1.0, "noon", 2.0])
    ledger = Ledger(engine, clock=lambda: next(times))  # type: ignore[arg-type, return-value]

    async def scenario() -> None:
        async with Writer(ledger) as writer:
            await writer.append("game-g1", [game_started()], 0)
            with pytest.raises(StorageError, match="the writer failed"):
                await writer.append("game-g1", [round_played()], 1)
            await writer.append("game-g1", [round_played()], 1)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())

    assert "the writer failed on a batch of 1 appends" in caplog.text
    assert ledger.head().position == 2


def test_a_repeated_append_in_one_turn_gets_the_same_receipt(ledger: Ledger) -> None:
    async def scenario() -> list[Outcome]:
        async with Writer(ledger) as writer:
            return await together(*(writer.append("game-g1", [game_started()], 0, ids=["a"]) for _ in "123"))

    first, second, third = asyncio.run(scenario())

    assert isinstance(first, Receipt)
    assert first == second == third
    assert ledger.head().position == 1


@pytest.mark.parametrize(
    "error",
    [
        StorageError("locked"),
        UnavailableError("no answer: it may be stored"),
        DiskFullError("no space"),
        ClockError(7_200.0, 3_600.0),
        ReplacedError("ledger.db", "is gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_caller_gets_the_error_as_it_is_and_one_of_its_own(engine: Engine, error: StorageError) -> None:
    """An append that may be stored must not be taken for one of which nothing is."""

    class Refusing(Ledger):
        def append_all(self, appends: Sequence[Append], *, on: Held | None = None) -> Never:  # noqa: ARG002
            raise error

    async def scenario() -> list[Outcome]:
        async with Writer(Refusing(engine)) as writer:
            return await together(*(writer.append(f"game-{n}", [game_started()], 0) for n in range(3)))

    outcomes = asyncio.run(scenario())

    assert [type(one) for one in outcomes] == [type(error)] * 3
    assert [str(one) for one in outcomes] == [str(error)] * 3
    assert [vars(one) for one in outcomes] == [vars(error)] * 3
    assert len({id(one) for one in (error, *outcomes)}) == 4
