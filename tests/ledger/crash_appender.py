"""Appends until it is killed, and prints every receipt once it has it: `python -m tests.ledger.crash_appender`."""

import asyncio
import itertools
import sys

from ledger.appends import Receipt
from ledger.engines.database import open_engine
from ledger.ids import new_id
from ledger.store import Ledger
from ledger.writer import Writer
from tests.builders import round_played


def acknowledge(ids: list[str], receipt: Receipt) -> None:
    sys.stdout.write(f"{receipt.first_position} {' '.join(ids)}\n")
    sys.stdout.flush()


def alone(ledger: Ledger, stream: str) -> None:
    for count in itertools.count():
        ids = [new_id(), new_id()]
        acknowledge(ids, ledger.append(stream, [round_played(), round_played()], 2 * count, ids=ids))


async def crowd(ledger: Ledger, stream: str) -> None:
    async def caller(own: str, writer: Writer) -> None:
        for count in itertools.count():
            ids = [new_id(), new_id()]
            receipt = await writer.append(own, [round_played(), round_played()], 2 * count, ids=ids)
            acknowledge(ids, receipt)

    async with Writer(ledger) as writer, asyncio.TaskGroup() as tasks:
        for n in range(16):
            tasks.create_task(caller(f"{stream}-{n}", writer))


if __name__ == "__main__":
    url, way, stream = sys.argv[1:]
    if way == "alone":
        alone(Ledger(open_engine(url)), stream)
    else:
        asyncio.run(crowd(Ledger(open_engine(url)), stream))
