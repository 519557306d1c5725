"""The `rps-audit` command: everything about a ledger from its file alone. Options only, no environment."""

import sys

import click

from ledger.errors import LedgerError
from projections.backfill import BackfillError
from projections.commands import decisions, looking, moving, proving, replaying, what_if
from projections.commands.console import messages
from projections.commands.source import DEFAULT_DATABASE, Source
from projections.errors import ProjectionError
from projections.moments import MomentError

EXIT_PROBLEM = 2
PROBLEMS = (LedgerError, ProjectionError, MomentError, BackfillError)


def main() -> None:
    """Run a command; a problem is told in one line, with exit status 2."""
    try:
        rps_audit()
    except PROBLEMS as problem:
        messages.print(f"[red]rps-audit:[/red] {problem}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_PROBLEM)


@click.group(name="rps-audit", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="promotion-ledger")
@click.option("--database", default=DEFAULT_DATABASE, show_default=True, help="The ledger's URL.")
@click.pass_context
def rps_audit(context: click.Context, database: str) -> None:
    """Prove a promotion ledger intact, show any past state, derive every decision anew, ask what if.

    Exit status: 0 all is well, 1 something was found, 2 the command could not do its work.
    """
    context.obj = Source(database)


for command in (
    looking.status,
    looking.log,
    looking.show,
    proving.verify,
    proving.seal,
    proving.prove,
    proving.verify_proof,
    replaying.replay,
    replaying.aliases,
    replaying.diff,
    replaying.compare,
    replaying.rebuild,
    decisions.decisions,
    what_if.what_if,
    moving.export_,
    moving.import_,
    moving.backup,
    moving.backfill,
):
    rps_audit.add_command(command)
