"""`make crash`: kill the service again and again, at random and at named moments, and check what is left.

Prints what was killed where, how much was acknowledged, and the first thing that does not hold; exits 1 then.
"""

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.crash.lives import Lives
from tests.crash.script import AT_A_STOP, IN_A_SWAP, IN_A_TRAINING, UNDER_LOAD, Kill, kill
from tests.lifecycle.trained import write_trained

RANDOM_SHARE = 0.5
TRAINING_SHARE = 0.05
PASSINGS = {
    **dict.fromkeys(UNDER_LOAD, 60),
    **dict.fromkeys(AT_A_STOP, 3),
    **dict.fromkeys(IN_A_SWAP, 1),
    "after an alias is set": 2,
}
"""Moment -> how often it passes for certain."""


@click.command()
@click.option("--kills", default=200, show_default=True, help="How often.")
@click.option("--seed", default=1, show_default=True, help="Of the moments and of the time between.")
def crash(kills: int, seed: int) -> None:
    """Kill a service under load, and check after each kill that nothing was lost, doubled or torn.

    Example: python -m tests.crash --kills 20
    """
    console, chance = Console(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        console.print("a set-up with small models ...")
        lives = Lives(shutil.copytree(write_trained(Path(folder) / "trained"), Path(folder) / "data"))
        done: Counter[str] = Counter()
        for number in track(range(kills), "killing", console=console):
            one = draw(chance)
            try:
                kill(lives, one, seed=seed + number)
                lives.check_log()
                lives.check_service()
            except AssertionError as error:
                console.print(f"[red]kill {number + 1}, {one.moment} ({one.number}): {error}")
                console.print(lives.settings.data_dir.with_suffix(".log").read_text()[-4_000:])
                sys.exit(1)
            done[one.moment] += 1
        console.print(summary(done))
        console.print(
            f"{sum(done.values())} kills: {len(lives.games):,} games and {len(lives.rounds):,} rounds were"
            " acknowledged; 0 lost, 0 doubled, 0 torn; no counter went back."
        )


def draw(chance: random.Random) -> Kill:
    """A moment; a training takes a quarter of a minute, so there are few of them."""
    share = chance.random()
    if share < RANDOM_SHARE:
        return Kill("at random", 0)
    if share < RANDOM_SHARE + TRAINING_SHARE:
        return Kill(chance.choice(IN_A_TRAINING), 1)
    moment = chance.choice(tuple(PASSINGS))
    return Kill(moment, chance.randint(1, PASSINGS[moment]))


def summary(done: Counter[str]) -> Table:
    """Moment and number of kills."""
    table = Table("moment", "kills")
    for moment, count in done.most_common():
        table.add_row(moment, str(count))
    return table


if __name__ == "__main__":
    crash()
