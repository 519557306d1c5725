"""The kills: at which moment of what, and how one is brought about."""

import random
import signal
import time
from typing import NamedTuple

from ledger.vocabulary import FAMILIES
from tests.crash.lives import NEVER, Lives

PLAYED_SECONDS = (0.1, 1.0)
PATIENCE_SECONDS = 30.0

UNDER_LOAD = ("before an append", "after an append, before its answer")
IN_A_SWAP = ("before an alias is set", "after an alias is set", "before a marker is set")
AT_A_STOP = ("between two snapshots",)
IN_A_TRAINING = ("before a version is registered", "after a version is registered")


class Kill(NamedTuple):
    """A moment, or "at random", and at which passing of it."""

    moment: str
    number: int


def kill(lives: Lives, one: Kill, seed: int) -> None:
    """Live until the moment comes, and die there."""
    chance = random.Random(seed)
    moment = one.moment, one.number
    if one.moment == "at random":
        with lives.served() as process, lives.played(process):
            time.sleep(chance.uniform(*PLAYED_SECONDS))
    elif one.moment in UNDER_LOAD:
        with lives.served(moment) as process, lives.played(process):
            process.wait(PATIENCE_SECONDS)
    elif one.moment in AT_A_STOP:
        with lives.served(moment) as process, lives.played(process):
            time.sleep(chance.uniform(*PLAYED_SECONDS))
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
    elif one.moment in IN_A_SWAP:
        # The service goes on meanwhile: the command is another process that moves its aliases.
        with lives.served(NEVER) as process, lives.played(process):
            assert lives.run(moment, "swap", chance.choice(FAMILIES)) == -signal.SIGKILL
    elif one.moment in IN_A_TRAINING:
        assert lives.run(moment, "train", "--force") == -signal.SIGKILL
    else:
        raise ValueError(f"no kill is known at {one.moment!r}")
