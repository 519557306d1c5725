"""The kills: at which moment of what, and how one is brought about."""

import random
import signal
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from ledger.vocabulary import FAMILIES
from tests.crash.lives import NEVER, Lives
from tests.crash.old_release import killed_migration

PLAYED_SECONDS = (0.1, 1.0)
PATIENCE_SECONDS = 240.0
LEASED_SECONDS_MAX = 300.0
"""The process that was killed before has a lease, which keeps the next one waiting for half a minute."""

UNDER_LOAD = ("before an append", "after an append, before its answer")
AT_A_START = ("before the registry is looked at",)
AT_A_STOP = ("between two snapshots",)
IN_A_SEAL = ("before a seal", "after a seal, before it is archived")
IN_A_DELIVERY = ("before an arrival is noted", "after an arrival is noted")
IN_A_MIGRATION = ("before a migration", "after a migration, before its commit")
IN_A_TRAINING = (
    "before a version is registered",
    "after a version is registered",
    "before trained versions are planned",
)
WRITTEN = ("before an order is written", "after an order is written")
CARRIED_OUT = (
    *WRITTEN,
    "before an alias is set",
    "after an alias is set",
    "before a marker is set",
    "before a plan is completed",
    "after a plan is completed",
)
IN_AN_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "swap": CARRIED_OUT,
    "cycle": CARRIED_OUT,
    "approve": CARRIED_OUT,
    "reject": WRITTEN,
    "pin": WRITTEN,
}
PREPARED: Final[Mapping[str, str]] = {"cycle": "favour", "approve": "wait", "reject": "wait"}
"""Order -> the one that comes before it, and is not killed."""
PASSING: Final[Mapping[str, int]] = {"before a plan is completed": 2, "after a plan is completed": 2}
"""Moments in an order that are the second of their kind."""


class Kill(NamedTuple):
    """A moment, or "at random", at which passing of it, and in which order of an operator.

    With `again` the order is given again afterwards, under the same key.
    """

    moment: str
    number: int
    order: str | None = None
    again: bool = True

    def __str__(self) -> str:
        return f"{self.moment}, in the order to {self.order}" if self.order else self.moment


def kill(lives: Lives, one: Kill, seed: int) -> None:
    """Live until the moment comes, and die there."""
    chance = random.Random(seed)
    moment = one.moment, one.number
    if one.order is not None:
        _kill_in_order(lives, one, chance)
    elif one.moment == "at random":
        with lives.served() as process, lives.played(process):
            time.sleep(chance.uniform(*PLAYED_SECONDS))
    elif one.moment in (*UNDER_LOAD, *AT_A_START):
        with lives.served(moment) as process, lives.played(process):
            process.wait(PATIENCE_SECONDS)
    elif one.moment in AT_A_STOP:
        with lives.served(moment) as process, lives.played(process):
            time.sleep(chance.uniform(*PLAYED_SECONDS))
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
    elif one.moment in (*IN_A_SEAL, *IN_A_DELIVERY):
        with lives.served(moment) as process, lives.played(process):
            if one.moment in IN_A_DELIVERY:
                assert lives.order(NEVER, "cycle", chance.choice(FAMILIES)) == 0
            process.wait(LEASED_SECONDS_MAX)
    elif one.moment in IN_A_TRAINING:
        code = lives.run(moment, "train", "--force")
        assert code == -signal.SIGKILL, f"the training ended with {code}"
    elif one.moment in IN_A_MIGRATION:
        killed_migration(lives, moment)
    else:
        raise ValueError(f"no kill is known at {one.moment!r}")


def _kill_in_order(lives: Lives, one: Kill, chance: random.Random) -> None:
    """The command dies while the service goes on; given again under its key, it has been carried out once."""
    assert one.order is not None
    family = chance.choice(FAMILIES)
    if prepared := PREPARED.get(one.order):
        assert lives.order(NEVER, prepared, family) == 0, f"the order to {prepared} was refused"
    # The service goes on meanwhile: the command is another process that moves its aliases.
    with lives.served() as process, lives.played(process):
        key = lives.new_key()
        code = lives.order((one.moment, one.number), one.order, family, key)
        # The service looks for open plans, too: where it completes this one first, the command does not.
        was_first = code == 0 and one.moment in PASSING
        assert code == -signal.SIGKILL or was_first, f"the order to {one.order} ended with {code}"
        if one.again:
            assert lives.order(NEVER, one.order, family, key) == 0, "the order was refused when it came again"
