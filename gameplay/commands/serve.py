"""`rps serve`, and the two things that it does first where they are still to do: `rps setup` and `rps migrate`."""

import sys

import click
import uvicorn

from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.training.setup import FIRST_GAMES, is_set_up, set_up
from gameplay.web.app import create_app
from gameplay.web.server import server_config
from ledger.vocabulary import FAMILIES, Family
from migrations import current_revision
from projections.commands.console import json_option, print_json, remark, say, track

EXIT_NOT_STARTED = 3


@click.command()
@pass_settings
def serve(settings: Settings) -> None:
    """Serve; on an empty data folder, play the first games and train the first models before that.

    Example: RPS_PORT=9000 rps serve
    """
    core = open_core(settings)
    try:
        if not is_set_up(core):
            set_up(core, track)
            core.read_models.projector.save(every=1)
    finally:
        core.close()
    remark(f"Serving on http://{settings.host}:{settings.port}, data in {settings.data_dir}")
    server = uvicorn.Server(server_config(create_app(settings), settings))
    server.run()
    if not server.started:
        sys.exit(EXIT_NOT_STARTED)


@click.command()
@click.option("--games", type=click.IntRange(min=250), default=FIRST_GAMES, show_default=True)
@click.option("--early", type=click.Choice(FAMILIES), help="Family whose Production learns from few games only.")
@json_option
@pass_settings
def setup(settings: Settings, games: int, early: Family | None, as_json: bool) -> None:
    """Do the first start's work without serving.

    Example: rps setup --games 500
    """
    core = open_core(settings)
    try:
        set_up(core, track, games=games, early=early)
        core.read_models.projector.save(every=1)
        position = core.ledger.head().position
    finally:
        core.close()
    if as_json:
        print_json({"data_dir": str(settings.data_dir), "position": position})
    else:
        say(f"{settings.data_dir} is set up; its ledger has {position:,} events")


@click.command()
@json_option
@pass_settings
def migrate(settings: Settings, as_json: bool) -> None:
    """Bring the database to the newest migration; every start does the same.

    Example: rps migrate
    """
    core = open_core(settings)
    try:
        revision = current_revision(core.engine)
    finally:
        core.close()
    database = settings.shown()["database_url"]
    if as_json:
        print_json({"database_url": database, "migration": revision})
    else:
        say(f"{database} is at migration {revision}")
