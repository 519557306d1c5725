"""`rps simulate`: a bot plays against a running service."""

import json
from collections import Counter

import click
from rich.table import Table

from gameplay.client.simulate import ScriptedPlayer, SimulatedGame, connect
from gameplay.commands.console import output, track
from gameplay.config import Settings
from ledger.vocabulary import BOTS, MODEL_TYPE_OF_OPPONENT, BotName, Opponent


@click.command()
@click.option("--user", type=click.Choice(BOTS), default="cal", show_default=True, help="The bot that plays.")
@click.option("--policy", type=click.Choice(list(MODEL_TYPE_OF_OPPONENT)), default="forrest", show_default=True)
@click.option("--games", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--url", default=None, help="Where the service is; by default where the settings say.")
@click.option("--seed", type=int, default=None, help="Makes the bot's choices repeatable.")
@click.option("--sleep", type=click.FloatRange(min=0), default=0.0, help="Seconds between two rounds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each game.")
@click.pass_obj
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
    """Let a bot play games against a running service, through HTTP.

    Example: rps simulate --user cal --policy forrest --games 20
    """
    with connect(url or f"http://{settings.host}:{settings.port}") as client:
        player = ScriptedPlayer(client, user, seed=seed)
        steps = player.games(policy, games, sleep_seconds=sleep)
        played = list(track(steps, f"{user} plays {policy}", games))
    if as_json:
        for game in played:
            click.echo(json.dumps(game._asdict()))
    else:
        output.print(_games_table(played))


def _games_table(games: list[SimulatedGame]) -> Table:
    table = Table(title=f"{len(games)} games")
    for heading in ("policy", "alias", "games", "bot won", "player won", "tied", "rounds a game"):
        table.add_column(heading, justify="right")
    by_alias: dict[tuple[str, str], list[SimulatedGame]] = {}
    for game in games:
        by_alias.setdefault((game.policy, game.alias or "-"), []).append(game)
    for (policy, alias), some in sorted(by_alias.items()):
        won = Counter(game.winner for game in some)
        rounds = sum(game.rounds for game in some) / len(some)
        counts = [str(won[winner]) for winner in ("bot", "user", "tie")]
        table.add_row(policy, alias, str(len(some)), *counts, f"{rounds:.1f}")
    return table
