"""Five kills of the two hundred of `make crash`."""

from pathlib import Path

import pytest

from tests.crash.lives import Lives
from tests.crash.script import Kill, kill

SHORT = (
    Kill("at random", 0),
    Kill("after an append, before its answer", 40),
    Kill("between two snapshots", 2),
    Kill("before an alias is set", 2, "swap"),
    Kill("after an order is written", 1, "pin", again=False),
)


@pytest.mark.timeout(1_200)
def test_nothing_that_was_answered_is_lost_or_doubled_and_no_counter_goes_back(data_dir: Path) -> None:
    # No receiver of webhooks: a killed sender keeps its lease for half a minute, longer than all of these lives.
    lives = Lives(data_dir)
    for one in SHORT:
        kill(lives, one, seed=1)
        lives.check_log()
    lives.check_service()
    assert lives.rounds, "the players have played"
