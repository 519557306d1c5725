import asyncio

import pytest

from gameplay.refusals import TooMany
from gameplay.web.stopping import Stopping
from gameplay.web.streams import Streams


def test_a_stream_that_ends_makes_room_for_another() -> None:
    async def fill() -> None:
        streams = Streams(1, Stopping())
        with streams.place(), pytest.raises(TooMany, match="1 streams are open"):
            streams.require_place()
        streams.require_place()

    asyncio.run(fill())


def test_a_stop_ends_the_wait_for_the_next_look() -> None:
    async def stop() -> list[bool]:
        stopping = Stopping()
        streams = Streams(1, stopping)
        first = await streams.wait(0.001)
        stopping.begin()
        assert streams.is_over()
        return [first, await streams.wait(3_600)]

    assert asyncio.run(stop()) == [True, False]
