"""`rps serve`, and the two things that it does first where they are still to do: `rps setup` and `rps migrate`."""

import click
import uvicorn

from gameplay.commands.console import messages, output, track
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.training.setup import FIRST_GAMES, is_set_up, set_up
from gameplay.web.app import create_app
from ledger.vocabulary import FAMILIES, Family
from migrations import current_revision

GRACE_SECONDS = 10


@click.command()
@click.pass_obj
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
    messages.print(f"Serving on http://{settings.host}:{settings.port}, data in {settings.data_dir}")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        loop="uvloop",
        http="httptools",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@click.command()
@click.option("--games", type=click.IntRange(min=250), default=FIRST_GAMES, show_default=True)
@click.option("--early", type=click.Choice(FAMILIES), help="Family whose Production learns from few games only.")
@click.pass_obj
def setup(settings: Settings, games: int, early: Family | None) -> None:
    """Do the first start's work without serving.

    Example: rps setup --games 500
    """
    core = open_core(settings)
    try:
        set_up(core, track, games=games, early=early)
        core.read_models.projector.save(every=1)
    finally:
        core.close()


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the newest migration; every start does the same.

    Example: rps migrate
    """
    core = open_core(settings)
    output.print(f"{settings.database_url} is at migration {current_revision(core.engine)}")
    core.close()
