"""`rps erase`: erase a player's display name."""

import click

from gameplay.commands.opened import check_ledger
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.game.players import erase as erase_name
from gameplay.game.players import known_as
from projections.commands.console import finding, json_option, print_json, say


@click.command()
@click.argument("name")
@json_option
@pass_settings
def erase(settings: Settings, name: str, as_json: bool) -> None:
    """Erase a player's display NAME. Their games stay in the ledger, which knows an opaque id alone.

    Exit status: 1 when no player has that name.

    Example: rps erase "Ada"
    """
    check_ledger(settings)
    core = open_core(settings)
    try:
        players = known_as(core.engine, name)
        erased = erase_name(core.engine, name)
    finally:
        core.close()
    if as_json:
        print_json({"name": name, "players": players, "erased": bool(erased)})
    elif erased:
        for player_id in players:
            say(f"{player_id} has no name any more")
    else:
        say(f"no player is known as {name!r}")
    if not erased:
        finding()
