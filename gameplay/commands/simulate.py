"""`rps simulate`: a scripted player plays against a running service."""

from collections import Counter
from collections.abc import Iterator

import click

from gameplay.client.simulate import ScriptedPlayer, SimulatedGame, SimulationError, connect
from gameplay.commands.settings import pass_settings, service_url
from gameplay.config import Settings
from ledger.vocabulary import BOTS, MODEL_TYPE_OF_OPPONENT, BotName, Opponent
from projections.commands.console import json_option, print_json, print_table, track
from projections.commands.numbers import SEED, DecimalType, WholeType
from projections.commands.program import Problem

_HEADINGS = ("policy", "alias", "games", "bot won", "player won", "tied", "rounds a game")


@click.command()
@click.option("--user", type=click.Choice(BOTS), default="cal", show_default=True, help="The player.")
@click.option(
    "--policy",
    type=click.Choice(list(MODEL_TYPE_OF_OPPONENT)),
    default="forrest",
    show_default=True,
    help="The opponent.",
)
@click.option("--games", type=WholeType(1), default=20, show_default=True, help="How many to play.")
@click.option("--url", default=None, help="Address of the service; by default as the settings say.")
@click.option("--seed", type=SEED, default=None, help="Makes the player's choices repeatable.")
@click.option("--sleep", type=DecimalType(0), default=0.0, help="Seconds between two rounds.")
@json_option
@pass_settings
def simulate(
    settings: Settings,
    user: BotName,
    policy: Opponent,
    games: int,
    url: str | None,
    seed: int | None,
    sleep: float,
    as_json: bool,
) -> None:
    """Let a scripted player play games against a running service, through HTTP. As JSON: one object a game.

    Example: rps simulate --user cal --policy forrest --games 20
    """
    try:
        with connect(url or service_url(settings)) as client:
            player = ScriptedPlayer(client, user, seed=seed)
            steps = player.games(policy, games, sleep_seconds=sleep)
            played = list(track(steps, f"{user} plays {policy}", games))
    except SimulationError as error:
        raise Problem(str(error)) from error
    if as_json:
        for game in played:
            print_json(game._asdict())
    else:
        print_table(f"{len(played)} games", _HEADINGS, list(_rows(played)))


def _rows(games: list[SimulatedGame]) -> Iterator[tuple[str | int, ...]]:
    by_alias: dict[tuple[str, str], list[SimulatedGame]] = {}
    for game in games:
        by_alias.setdefault((game.policy, game.alias or "-"), []).append(game)
    for (policy, alias), some in sorted(by_alias.items()):
        won = Counter(game.winner for game in some)
        rounds = sum(game.rounds for game in some) / len(some)
        yield policy, alias, len(some), won["bot"], won["user"], won["tie"], f"{rounds:.1f}"
