"""The `rps` command: its parts are in `gameplay.commands`."""

import logging
from collections.abc import Mapping

import click
from rich.console import Console
from rich.logging import RichHandler

from gameplay.config import SettingError, read_masking
from gameplay.models.errors import ModelError
from gameplay.refusals import Refusal
from gameplay.serving.errors import StartError
from ledger.errors import LedgerError
from ledger.masking import Masking
from projections.commands.console import messages
from projections.commands.program import Lazy, Program
from projections.errors import ProjectionError

PROBLEMS = (SettingError, LedgerError, ModelError, ProjectionError, Refusal, StartError)

# Imported when called: together they take a second, which `rps --help` and most commands need not pay.
COMMANDS: Mapping[str, Lazy] = {
    "serve": Lazy("gameplay.commands.serve", "serve", "Serve; set up first where nothing is."),
    "setup": Lazy("gameplay.commands.serve", "setup", "Do the first start's work without serving."),
    "migrate": Lazy("gameplay.commands.serve", "migrate", "Bring the database to the newest migration."),
    "config": Lazy("gameplay.commands.config", "config", "Show every setting, and when the jobs run next."),
    "simulate": Lazy("gameplay.commands.simulate", "simulate", "Play games against a running service."),
    "promote": Lazy("gameplay.commands.promotion", "promote", "Run a promotion cycle now."),
    "promotion": Lazy("gameplay.commands.promotion", "promotion", "Run a promotion cycle, or cancel a plan."),
    "train": Lazy("gameplay.commands.train", "train", "Train new versions where there is enough to learn."),
    "models": Lazy("gameplay.commands.models", "models", "Show the versions behind the twelve aliases."),
    "capture": Lazy("gameplay.commands.capture", "capture", "Write down what is served, and check it."),
    "dashboard": Lazy("gameplay.commands.dashboard", "dashboard", "Write or check the files in ops/."),
    "erase": Lazy("gameplay.commands.erase", "erase", "Erase a player's display name."),
    "forget": Lazy("gameplay.commands.erase", "erase", "", hidden=True),
}


class MaskedFormatter(logging.Formatter):
    """Another formatter's lines, tracebacks included, without secrets."""

    def __init__(self, inner: logging.Formatter, masked: Masking) -> None:
        super().__init__()
        self._inner = inner
        self._masked = masked

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return self._masked(self._inner.format(record))


def main() -> None:
    """Run a command; a problem is said in one line, with exit status 2."""
    rps()


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
    _log_to(messages, read_masking())
    # They log every step and every request, which would bury everything else.
    for chatty in ("alembic", "apscheduler", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _log_to(console: Console, masked: Masking) -> None:
    if console.is_terminal:
        handler: logging.Handler = RichHandler(console=console, show_path=False)
        formatter = logging.Formatter("%(message)s")
    else:  # one event, one line, with its date: what keeps logs cuts and searches them by line
        handler = logging.StreamHandler()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(MaskedFormatter(formatter, masked))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
