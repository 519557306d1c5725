"""`rps forget`: erase a player's display name."""

import click

from gameplay.commands.console import EXIT_FINDING, output
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.players import erase, known_as


@click.command()
@click.argument("name")
@click.pass_obj
def forget(settings: Settings, name: str) -> None:
    """Erase a player's display NAME. Their games stay in the ledger, which knows an opaque id alone.

    Example: rps forget "Ada"
    """
    core = open_core(settings)
    try:
        players = known_as(core.engine, name)
        erased = erase(core.engine, name)
    finally:
        core.close()
    if not erased:
        output.print(f"nobody is known as {name!r}", markup=False)
        click.get_current_context().exit(EXIT_FINDING)
    for player_id in players:
        output.print(f"{player_id} has no name any more", markup=False)
