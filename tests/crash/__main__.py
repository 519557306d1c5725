"""`make crash`: kill the service again and again, at random and at named moments, and check what is left.

Prints what was killed where, how much was acknowledged, and the first thing that does not hold; exits 1 then.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.children import EndedError
from tests.crash.lives import Lives
from tests.crash.script import (
    AT_A_START,
    AT_A_STOP,
    IN_A_DELIVERY,
    IN_A_MIGRATION,
    IN_A_SEAL,
    IN_A_TRAINING,
    IN_AN_ORDER,
    PASSING,
    UNDER_LOAD,
    Kill,
    kill,
)
from tests.gameplay.serving.receivers import receiving
from tests.lifecycle.trained import write_trained

SHARES = {
    "at random": 0.4,
    "order": 0.25,
    "load": 0.14,
    "delivery": 0.05,
    "seal": 0.04,
    "migration": 0.04,
    "training": 0.04,
    "start": 0.04,
}
"""Of the kills; a training takes a quarter of a minute, so there are few of them."""
REFUSALS = (500, 204, 204)
"""Statuses with which the webhook's receiver answers first in a life."""
MOMENTS = {
    "at random": ("at random",),
    "load": (*UNDER_LOAD, *AT_A_STOP),
    "delivery": IN_A_DELIVERY,
    "seal": IN_A_SEAL,
    "migration": IN_A_MIGRATION,
    "training": IN_A_TRAINING,
    "start": AT_A_START,
}
PASSINGS = {**dict.fromkeys(UNDER_LOAD, 60), **dict.fromkeys(AT_A_STOP, 3)}
"""Moment -> how often it passes for certain, where that is more than once."""


@click.command()
@click.option("--kills", default=200, show_default=True, help="How often.")
@click.option("--seed", default=1, show_default=True, help="Of the moments and of the time between.")
def crash(kills: int, seed: int) -> None:
    """Kill a service under load, and check after each kill that nothing was lost, doubled or torn.

    Example: python -m tests.crash --kills 20
    """
    console, chance = Console(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        console.print("a set-up with small models ...")
        data_dir = shutil.copytree(write_trained(Path(folder) / "trained"), Path(folder) / "data")
        lives = Lives(data_dir, receiver)
        done: Counter[str] = Counter()
        for number in track(range(kills), "killing", console=console):
            one = draw(chance)
            receiver.statuses = [chance.choice(REFUSALS)]
            try:
                kill(lives, one, seed=seed + number)
                lives.check_log()
                lives.check_service()
            except (AssertionError, EndedError, subprocess.TimeoutExpired) as error:
                console.print(f"[red]kill {number + 1}, {one} ({one.number}): {error}")
                console.print(data_dir.with_suffix(".log").read_text()[-4_000:])
                sys.exit(1)
            done[str(one)] += 1
        lives.check_deliveries()
        console.print(summary(done))
        console.print(
            f"{sum(done.values())} kills: {len(lives.games):,} games, {len(lives.rounds):,} rounds and"
            f" {len(lives.keys)} orders were acknowledged, {len(receiver.got)} deliveries were made; 0 lost,"
            " 0 doubled, 0 torn; no counter went back."
        )


def draw(chance: random.Random) -> Kill:
    """A moment of a kind that is drawn by its share."""
    (kind,) = chance.choices(list(SHARES), weights=list(SHARES.values()))
    if kind == "order":
        order = chance.choice(list(IN_AN_ORDER))
        moment = chance.choice(IN_AN_ORDER[order])
        return Kill(moment, PASSING.get(moment, 1), order)
    moment = chance.choice(MOMENTS[kind])
    return Kill(moment, 0 if kind == "at random" else chance.randint(1, PASSINGS.get(moment, 1)))


def summary(done: Counter[str]) -> Table:
    """Moment and number of kills."""
    table = Table("moment", "kills")
    for moment, count in done.most_common():
        table.add_row(moment, str(count))
    return table


if __name__ == "__main__":
    crash()
