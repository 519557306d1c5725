"""`rps serve`, and the two things that it does first where they are still to do: `rps setup` and `rps migrate`."""

import faulthandler
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
import uvicorn

from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.cron import next_firings
from gameplay.observability.log_lines import JsonLines
from gameplay.observability.log_streams import as_json
from gameplay.serving.errors import StartError
from gameplay.serving.folder_locks import serving, starting_alone
from gameplay.serving.leases import Leases
from gameplay.serving.listening import listen
from gameplay.serving.roles import PARTS
from gameplay.serving.stop_deadline import StopDeadline
from gameplay.training.setup import FIRST_GAMES, is_set_up, set_up
from gameplay.web.app import create_app
from gameplay.web.server import server_config
from ledger.engines.database import file_of
from ledger.grants import grant
from ledger.upgrade import current_revision
from ledger.vocabulary import FAMILIES, Family
from projections.commands.console import json_option, print_json, remark, say, track
from projections.commands.numbers import WholeType

SETUP_SECONDS_MAX = 180.0
"""After this another process takes over a set-up that does not end."""
SETUP_PAUSE_SECONDS = 1.0
SWITCH_SECONDS = 0.0005
"""How long a thread of this process computes while another one waits for the interpreter."""


@click.command()
@pass_settings
def serve(settings: Settings) -> None:
    """Serve; on an empty data folder, play the first games and train the first models before that.

    Example: RPS_PORT=9000 rps serve
    """
    # A library that crashes ends the process without a word; with this, what each thread was doing is in its log.
    faulthandler.enable(sys.__stderr__ or sys.stderr)
    with listen(settings.host, settings.port) as listening, ExitStack() as held:
        if settings.log_format == "json":
            held.enter_context(as_json("stdout", JsonLines(settings.masking())))
        with starting_alone(settings.data_dir, remark):
            is_new = "views" in PARTS[settings.role] and _set_up_once(settings)
            if (folder := _ledger_folder(settings)) is not None:
                held.enter_context(serving(folder, shared=settings.shared))
        host, port, *_ = listening.getsockname()
        remark(f"Serving on http://{host}:{port}, data in {settings.data_dir}")
        if "views" in PARTS[settings.role]:
            _announce_jobs(settings)
        if is_new:
            for line in first_words(settings, f"http://{host}:{port}"):
                remark(line)
        # A move lets go of the interpreter some ten times: for each model, the socket, the writer's statements.
        # While a thread folds what has come, or draws a page, each would take Python's usual 5 ms to return.
        sys.setswitchinterval(SWITCH_SECONDS)
        server = Server(server_config(create_app(settings), settings))
        server.run(sockets=[listening])
    if not server.started:
        raise StartError("the service could not start: the log says why")


class Server(uvicorn.Server):
    """A server that ends within a limit once it was asked to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._deadline = StopDeadline()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take in a signal that asks for the end."""
        self._deadline.arm()
        super().handle_exit(sig, frame)


def first_words(settings: Settings, url: str) -> list[str]:
    """What a first start has made, and what to try in another terminal, with the same settings."""
    # What to do has a line of its own: a path may be of any length, and is copied as a whole.
    tries = (
        ("play a game yourself, in a browser", f"{url}/play"),
        ("let a bot play", "rps simulate --user cal --policy forrest --games 20"),
        ("see what a promotion cycle would decide", "rps promote --dry-run"),
        ("derive every decision again", f"rps-audit --database {settings.shown()['database_url']} decisions"),
    )
    return [
        f"Made in {settings.data_dir}: a ledger of bots' games, and twelve versions in MLflow and in the store.",
        "Four things to try:",
        *(line for what, how in tries for line in (f"  {what}:", f"      {how}")),
    ]


def _set_up_once(settings: Settings) -> bool:
    """Set up what is not yet; False when there was nothing to do."""
    core = open_core(settings)
    try:
        # A ledger in a file has the folder's lock, which ends with its process. The lease outlasts one that was
        # killed, and the start after a Ctrl-C would wait for a process that is no more.
        with setting_up_alone(core) if _ledger_folder(settings) is None else nullcontext():
            if is_set_up(core):
                return False
            set_up(core, track)
            core.read_models.projector.save(every=1)
            return True
    finally:
        core.close()


@contextmanager
def setting_up_alone(core: Core) -> Iterator[None]:
    """Wait for another process that sets the ledger up, and keep others waiting; where it is set up, for none."""
    leases = Leases(core.engine)
    while not is_set_up(core) and not leases.take("set-up", SETUP_SECONDS_MAX):
        remark("another process sets the ledger up")
        time.sleep(SETUP_PAUSE_SECONDS)
    try:
        yield
    finally:
        leases.release()


def _ledger_folder(settings: Settings) -> Path | None:
    """Where the ledger lies, if it is a file: services on different machines may share any other."""
    path = file_of(settings.database_url)
    return path.parent if path is not None else None


def _announce_jobs(settings: Settings) -> None:
    now = datetime.now(UTC)
    for job, line in settings.schedules().items():
        if line is not None:
            remark(f"Next {job}: {next_firings(line, now, 1)[0]:%Y-%m-%d %H:%M} UTC ({line})")


@click.command()
@click.option("--games", type=WholeType(250), default=FIRST_GAMES, show_default=True)
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
@click.option("--grant", "role", metavar="ROLE", help="Let a role of PostgreSQL's append and read, and no more.")
@json_option
@pass_settings
def migrate(settings: Settings, role: str | None, as_json: bool) -> None:
    """Bring the database to the newest migration; every start does the same.

    A database that does not exist is made, even where another ledger is known: `rps accept-ledger` has to follow.

    Example: rps migrate
    """
    core = open_core(settings, accepting=True)
    try:
        revision = current_revision(core.engine)
        if role is not None:
            grant(core.engine, role)
    finally:
        core.close()
    database = settings.shown()["database_url"]
    if as_json:
        print_json({"database_url": database, "migration": revision, "granted": role})
    else:
        say(f"{database} is at migration {revision}")
        if role is not None:
            say(f"{role} may append and read")
