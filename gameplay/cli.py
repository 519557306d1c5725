"""The `rps` command: its parts are in `gameplay.commands`."""

import logging
import sys

import click
from rich.console import Console
from rich.logging import RichHandler

from gameplay.client.simulate import SimulationError
from gameplay.commands.capture import capture
from gameplay.commands.console import messages
from gameplay.commands.dashboard import dashboard
from gameplay.commands.forget import forget
from gameplay.commands.models import models
from gameplay.commands.promote import promote
from gameplay.commands.serve import migrate, serve, setup
from gameplay.commands.simulate import simulate
from gameplay.commands.train import train
from gameplay.config import SettingError, read_settings
from gameplay.models.errors import ModelError
from gameplay.refusals import Refusal
from ledger.errors import LedgerError
from projections.errors import ProjectionError

EXIT_PROBLEM = 2
PROBLEMS = (SettingError, LedgerError, ModelError, ProjectionError, Refusal, SimulationError)
COMMANDS = (serve, setup, migrate, simulate, promote, train, models, capture, dashboard, forget)


def main() -> None:
    """Run a command; a problem is told in one line, with exit status 2."""
    try:
        rps()
    except PROBLEMS as problem:
        messages.print(f"[red]rps:[/red] {problem}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_PROBLEM)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="promotion-ledger")
@click.pass_context
def rps(context: click.Context) -> None:
    """Rock-Paper-Scissors against models whose every round and promotion is on the record.

    Settings come from the environment; docs/operations.md lists them.
    """
    _log_to(messages)
    # They tell of every step and every request, which would bury everything else.
    for chatty in ("alembic", "apscheduler", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    context.obj = read_settings()


def _log_to(console: Console) -> None:
    if console.is_terminal:
        handler: logging.Handler = RichHandler(console=console, show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:  # one event, one line, with its date: what keeps logs cuts and searches them by line
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


for command in COMMANDS:
    rps.add_command(command)
