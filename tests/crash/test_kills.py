"""Five kills of the two hundred of `make crash`."""

from pathlib import Path

from tests.crash.lives import Lives
from tests.crash.script import IN_A_SWAP, Kill, kill

SHORT = (
    Kill("at random", 0),
    Kill("after an append, before its answer", 40),
    Kill("between two snapshots", 2),
    Kill("before an alias is set", 2),
    Kill("after an alias is set", 1),
)


def test_nothing_that_was_answered_is_lost_or_doubled_and_no_counter_goes_back(data_dir: Path) -> None:
    lives = Lives(data_dir)
    for one in SHORT:
        kill(lives, one, seed=1)
        lives.check_log()
        if one.moment in IN_A_SWAP:
            lives.check_service()
    assert lives.rounds, "the players have played"
