import asyncio
from contextlib import ExitStack

import pytest

from gameplay.refusals import Unavailable
from gameplay.web.console import watching
from gameplay.web.console.watching import Live, News
from gameplay.web.stopping import Stopping
from ledger.errors import StorageError
from projections.errors import ProjectionError

TABS = 200


def news(position: int) -> News:
    return News(position=position, recorded=None, decided=0, moved=None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.001)


def test_one_look_serves_all_who_watch() -> None:
    looks = 0

    async def look(_known: News | None) -> News:
        nonlocal looks
        looks += 1
        return news(1)

    async def watch() -> list[News | None]:
        live = Live(Stopping())
        with ExitStack() as held:
            for _ in range(TABS):
                held.enter_context(live.watching(look))
            heard = await asyncio.gather(*(live.after(None) for _ in range(TABS)))
            assert live.watchers == TABS
        assert live.watchers == 0
        return heard

    assert asyncio.run(watch()) == [news(1)] * TABS
    assert looks < TABS


def test_nothing_is_looked_at_while_nobody_watches() -> None:
    looks = 0

    async def look(_known: News | None) -> News:
        nonlocal looks
        looks += 1
        return news(looks)

    async def watch() -> int:
        live = Live(Stopping())
        with live.watching(look):
            await live.after(None)
        seen = looks
        await asyncio.sleep(0.02)
        assert looks == seen
        with live.watching(look):
            await live.after(None)
        return looks

    assert asyncio.run(watch()) > 0


def test_a_stop_ends_the_wait_at_once() -> None:
    async def look(_known: News | None) -> News:
        return news(1)

    async def watch() -> None:
        stopping = Stopping()
        live = Live(stopping)
        with live.watching(look):
            known = await live.after(None)
            waiting = asyncio.create_task(live.after(known))
            await asyncio.sleep(0.01)
            stopping.begin()
            assert await waiting is None
            assert live.is_over()

    asyncio.run(watch())


@pytest.mark.parametrize(
    "error",
    [
        StorageError("the disk is gone"),
        ProjectionError(5, "promotion.cycle_decided", "it is of another release"),
        Unavailable("no place has become free"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_keeps_a_look_from_the_news_is_a_problem_in_them_until_it_is_gone(error: Exception) -> None:
    broken = True

    async def look(_known: News | None) -> News:
        if broken:
            raise error
        return news(7)

    async def watch() -> None:
        nonlocal broken
        live = Live(Stopping())
        with live.watching(look):
            first = await live.after(None)
            assert first is not None
            assert first.problem == type(error).__name__
            broken = False
            assert await live.after(first) == news(7)

    asyncio.run(watch())


def test_a_fault_of_a_look_reaches_all_who_watch_and_the_next_one_looks_again() -> None:
    looks = 0

    async def look(_known: News | None) -> News:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise ZeroDivisionError
        return news(looks)

    async def watch() -> None:
        live = Live(Stopping())
        with live.watching(look):
            known = await live.after(None)
            heard = await asyncio.gather(live.after(known), live.after(known), return_exceptions=True)
            assert [type(one) for one in heard] == [ZeroDivisionError] * 2
        with live.watching(look):
            assert await live.after(None) == news(3)

    asyncio.run(watch())
