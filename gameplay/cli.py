"""The `rps` command: its parts are in `gameplay.commands`."""

from collections.abc import Mapping

import click

from gameplay.config import SettingError, read_log_style, read_masking
from gameplay.models.errors import ModelError
from gameplay.observability.logs import logging_process
from gameplay.refusals import Refusal
from gameplay.serving.errors import StartError
from ledger.errors import LedgerError
from projections.commands.console import messages
from projections.commands.program import Lazy, Program
from projections.errors import ProjectionError

PROBLEMS = (SettingError, LedgerError, ModelError, ProjectionError, Refusal, StartError)

# Imported when called: together they take a second, which `rps --help` and most commands need not pay.
COMMANDS: Mapping[str, Lazy] = {
    "serve": Lazy(
        "gameplay.commands.serve", "serve", "Serve; set up first where nothing is.", handles_sigterm=True
    ),
    "setup": Lazy(
        "gameplay.commands.serve", "setup", "Do the first start's work without serving.", handles_sigterm=True
    ),
    "migrate": Lazy("gameplay.commands.serve", "migrate", "Bring the database to the newest migration."),
    "config": Lazy("gameplay.commands.config", "config", "Show every setting, and when the jobs run next."),
    "doctor": Lazy("gameplay.commands.doctor", "doctor", "Look at everything that a service needs."),
    "simulate": Lazy("gameplay.commands.simulate", "simulate", "Play games against a running service."),
    "promote": Lazy("gameplay.commands.promotion", "promote", "Run a promotion cycle now."),
    "promotion": Lazy("gameplay.commands.promotion", "promotion", "Show promotion, run a cycle, pin, swap, undo."),
    "train": Lazy(
        "gameplay.commands.train",
        "train",
        "Train new versions where there is enough to learn.",
        handles_sigterm=True,
    ),
    "models": Lazy("gameplay.commands.models", "models", "Show the versions behind the twelve aliases."),
    "capture": Lazy("gameplay.commands.capture", "capture", "Write down what is served, and check it."),
    "cross-family": Lazy(
        "gameplay.commands.cross_family", "cross_family", "Show or set which games the other families predict."
    ),
    "dashboard": Lazy("gameplay.commands.dashboard", "dashboard", "Write or check the files in ops/."),
    "accept-ledger": Lazy("gameplay.commands.accept", "accept_ledger", "Let the ledger go on from this database."),
    "clock": Lazy("gameplay.commands.accept", "clock", "Decide about a system clock that has jumped."),
    "erase": Lazy("gameplay.commands.erase", "erase", "Erase a player's display name."),
    "forget": Lazy("gameplay.commands.erase", "erase", "", hidden=True),
}


def main() -> None:
    """Run a command; a problem is said in one line, with exit status 2."""
    with logging_process(messages, read_masking(), read_log_style()):
        rps(prog_name="rps")  # however Python was started


def _masked(text: str) -> str:
    """Read when needed: the environment of the call counts, not that of the import."""
    return read_masking()(text)


@click.group(
    cls=Program,
    problems=PROBLEMS,
    masked=_masked,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="promotion-ledger")
def rps() -> None:
    """Rock-Paper-Scissors against models whose every round and promotion is on the record.

    Settings come from the environment; `rps config` shows them, and docs/operations.md describes them.
    """
