"""The `rps-audit` command: everything about a ledger from its file alone. Options only, no environment."""

import gc
import signal
from collections.abc import Mapping

import click

from ledger.errors import LedgerError
from ledger.masking import mask_addresses
from projections.commands.program import Lazy, Program
from projections.errors import BackfillError, PositionError, ProjectionError

DEFAULT_DATABASE = "sqlite:///data/ledger.db"
GARBAGE_FROM_OBJECTS = 20_000
PROBLEMS = (LedgerError, ProjectionError, PositionError, BackfillError)

# Imported when called: together they take half a second, which `rps-audit --help` and each of them need not pay.
COMMANDS: Mapping[str, Lazy] = {
    "status": Lazy(
        "projections.commands.status",
        "status",
        "Say how long the ledger is, what is in it, and how far everything that reads it has come.",
    ),
    "log": Lazy("projections.commands.looking", "log", "List events, the newest last."),
    "show": Lazy(
        "projections.commands.looking",
        "show",
        "Show one event: its columns, its payload, and how it hangs in the chain.",
    ),
    "verify": Lazy(
        "projections.commands.proving",
        "verify",
        "Recompute the chain and the seals from the stored bytes; name what was changed, and where.",
    ),
    "seal": Lazy("projections.commands.proving", "seal", "Seal what is not sealed yet."),
    "prove": Lazy(
        "projections.commands.proving",
        "prove",
        "Write a small file that proves one event against a signed checkpoint, without the database.",
    ),
    "verify-proof": Lazy("projections.commands.proving", "verify_proof", "Check a proof file."),
    "watch": Lazy(
        "projections.commands.watch",
        "watch",
        "Verify what is appended and derive new decisions again, for as long as the watch runs.",
    ),
    "replay": Lazy("projections.commands.replaying", "replay", "Show the state at any position or time."),
    "aliases": Lazy("projections.commands.replaying", "aliases", "Say which version was behind each alias."),
    "diff": Lazy(
        "projections.commands.replaying",
        "diff",
        "Show what changed between two states, each at a position or an ISO 8601 time.",
    ),
    "compare": Lazy(
        "projections.commands.replaying",
        "compare",
        "Replay everything and compare it with the stored snapshots, waypoints and tables.",
    ),
    "rebuild": Lazy(
        "projections.commands.replaying",
        "rebuild",
        "Replay a read model, or all of them, beside what is stored, and put it in its place.",
    ),
    "decisions": Lazy(
        "projections.commands.decisions",
        "decisions",
        "Derive every promotion decision again: recount its games, repeat the test, compare the verdict.",
    ),
    "what-if": Lazy(
        "projections.commands.what_if",
        "what_if",
        "Run the same events under another rule: what would have been decided, and what would have followed.",
    ),
    "compare-versions": Lazy(
        "projections.commands.compare_versions",
        "compare",
        "Compare two versions by all their games, whichever aliases they had, and say what each rule says.",
    ),
    "simulate-rules": Lazy(
        "projections.commands.simulate_rules",
        "simulate_rules",
        "Simulate how often each rule swaps by mistake, and how long it takes to swap rightly.",
    ),
    "export": Lazy(
        "projections.commands.moving",
        "export_",
        "Write the log as JSON Lines, with positions, ids and hashes; to standard output, or to a new FILE.",
    ),
    "import": Lazy(
        "projections.commands.moving",
        "import_",
        "Read exported lines into an empty ledger, all or nothing, recomputing the chain on the way.",
    ),
    "backup": Lazy(
        "projections.commands.moving",
        "backup",
        "Copy the whole database to FILE while the service runs, and verify the copy.",
    ),
    "copy": Lazy(
        "projections.commands.copying",
        "copy",
        "Copy a ledger into another database, of either kind, and verify both.",
    ),
    "backfill": Lazy(
        "projections.commands.moving",
        "backfill",
        "Write the ledger's metrics as OpenMetrics with timestamps, a file a day, for Prometheus to take in.",
    ),
}


def main() -> None:
    """Run a command; a problem is said in one line, with exit status 2."""
    # A reader of a pipe may have seen enough, as `head` has: end as other tools do, by the signal, silently.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # What a command makes of a million events stays to its end, and has no cycles: to look through it for some
    # after every 700 objects took an eighth of `decisions`.
    gc.set_threshold(GARBAGE_FROM_OBJECTS)
    rps_audit(prog_name="rps-audit")  # however Python was started


class Audit(Program):
    """The program, of which every command takes `--database` too, where people type it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and _ELSEWHERE not in command.params:
            command.params.append(_ELSEWHERE)
        return command


def _look_at(context: click.Context, _option: click.Parameter, url: str | None) -> None:
    """Have the command look at the database of this URL."""
    if url is not None:
        context.obj = url


_ELSEWHERE = click.Option(
    ["--database"], callback=_look_at, expose_value=False, help="The ledger's URL, if not before."
)


@click.group(
    name="rps-audit",
    cls=Audit,
    problems=PROBLEMS,
    masked=mask_addresses,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="promotion-ledger")
@click.option(
    "--database",
    default=DEFAULT_DATABASE,
    show_default=True,
    callback=_look_at,
    expose_value=False,
    help="The ledger's URL.",
)
def rps_audit() -> None:
    """Prove a promotion ledger intact, show any past state, derive every decision again, ask what if.

    Exit status: 0 all is well, 1 something was found, 2 the command could not do its work.
    """
