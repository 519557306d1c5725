import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.store import Ledger
from tests.builders import game_started
from tests.ledger.chains import assert_intact

ROOT = Path(__file__).parents[2]


def killed_appender(engine: Engine, way: str, stream: str, acknowledged: int) -> list[str]:
    """What a process said it had appended before it was killed, some time after so many lines."""
    url = engine.url.render_as_string()
    command = [sys.executable, "-m", "tests.ledger.crash_appender", url, way, stream]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -9
    return [line for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("way", ["alone", "crowd"])
def test_an_acknowledged_event_survives_kill_9(engine: Engine, way: str) -> None:
    chance = random.Random()
    ledger = Ledger(engine)
    acknowledged: dict[str, int] = {}
    for life in range(3):
        for line in killed_appender(engine, way, f"game-{life}", chance.randint(1, 300)):
            first, *ids = line.split()
            acknowledged |= {event_id: int(first) + index for index, event_id in enumerate(ids)}

        entries = [entry for page in ledger.pages() for entry in page]
        assert_intact(entries)
        stored = {entry.event_id: entry.position for entry in entries}
        assert acknowledged.items() <= stored.items()
        assert len(entries) % 2 == 0, "an append is all or nothing"
    assert acknowledged
    last = ledger.append("game-after", [game_started()], 0)
    assert last.first_position == len(entries) + 1
