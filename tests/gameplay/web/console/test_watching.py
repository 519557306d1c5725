import asyncio
from contextlib import ExitStack

import pytest

from gameplay.web.console import watching
from gameplay.web.console.watching import Live, News
from gameplay.web.stopping import Stopping
from ledger.errors import StorageError

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


def test_a_ledger_that_cannot_be_read_is_a_problem_in_the_news_until_it_can() -> None:
    broken = True

    async def look(_known: News | None) -> News:
        if broken:
            raise StorageError("the disk is gone")
        return news(7)

    async def watch() -> None:
        nonlocal broken
        live = Live(Stopping())
        with live.watching(look):
            first = await live.after(None)
            assert first is not None
            assert first.problem == "StorageError"
            broken = False
            assert await live.after(first) == news(7)

    asyncio.run(watch())
