"""The `rps-audit` command: everything about a ledger from its file alone. Options only, no environment."""

import gc
import signal

import click

from ledger.errors import LedgerError
from ledger.masking import mask_addresses
from projections.commands import (
    compare_versions,
    copying,
    decisions,
    looking,
    moving,
    proving,
    replaying,
    simulate_rules,
    status,
    watch,
    what_if,
)
from projections.commands.program import Program
from projections.commands.source import DEFAULT_DATABASE, Source
from projections.errors import ProjectionError
from projections.metrics.backfill import BackfillError
from projections.positions import PositionError

GARBAGE_FROM_OBJECTS = 20_000
PROBLEMS = (LedgerError, ProjectionError, PositionError, BackfillError)


def main() -> None:
    """Run a command; a problem is said in one line, with exit status 2."""
    # A reader of a pipe may have seen enough, as `head` has: end as other tools do, by the signal, silently.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # What a command makes of a million events stays to its end, and has no cycles: to look through it for some
    # after every 700 objects took an eighth of `decisions`.
    gc.set_threshold(GARBAGE_FROM_OBJECTS)
    rps_audit(prog_name="rps-audit")  # however Python was started


@click.group(
    name="rps-audit",
    cls=Program,
    problems=PROBLEMS,
    masked=mask_addresses,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="promotion-ledger")
@click.option("--database", default=DEFAULT_DATABASE, show_default=True, help="The ledger's URL.")
@click.pass_context
def rps_audit(context: click.Context, database: str) -> None:
    """Prove a promotion ledger intact, show any past state, derive every decision again, ask what if.

    Exit status: 0 all is well, 1 something was found, 2 the command could not do its work.
    """
    context.obj = Source(database)


def _elsewhere(context: click.Context, _option: click.Parameter, url: str | None) -> None:
    """`--database` is taken after the command too, where people type it."""
    if url is not None:
        context.obj = Source(url)


COMMANDS: tuple[click.Command, ...] = (
    status.status,
    looking.log,
    looking.show,
    proving.verify,
    proving.seal,
    proving.prove,
    proving.verify_proof,
    watch.watch,
    replaying.replay,
    replaying.aliases,
    replaying.diff,
    replaying.compare,
    replaying.rebuild,
    decisions.decisions,
    what_if.what_if,
    compare_versions.compare,
    simulate_rules.simulate_rules,
    moving.export_,
    moving.import_,
    moving.backup,
    copying.copy,
    moving.backfill,
)
for command in COMMANDS:
    command.params.append(
        click.Option(
            ["--database"], callback=_elsewhere, expose_value=False, help="The ledger's URL, if not before."
        )
    )
    rps_audit.add_command(command)
