"""`rps accept-ledger` and `rps clock accept`: an operator says that what looks wrong is to stand."""

import time
from contextlib import closing

import click

from gameplay.commands.opened import check_ledger
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.models.errors import RegistryError
from ledger.events import ClockAccepted
from ledger.times import show_time
from projections.commands.console import json_option, print_json, remark, say
from projections.commands.program import Group

reason_option = click.option("--reason", required=True, help="Why; it is kept in the ledger.")


@click.command("accept-ledger")
@reason_option
@json_option
@pass_settings
def accept_ledger(settings: Settings, reason: str, as_json: bool) -> None:
    """Say that the ledger goes on from this database, for example from a restored backup.

    Appends an event that says so, and renews what is known of the ledger outside: in ledger.id, in the checkpoint
    archive and in MLflow.

    Example: rps accept-ledger --reason "restored the backup of 12 November"
    """
    check_ledger(settings)
    with closing(open_core(settings, accepting=True)) as core:
        accepted = core.copies.accept(core.ledger, reason)
        try:
            core.registry.set_owner(accepted.ledger_id)
        except RegistryError as error:
            remark(f"MLflow does not know of it, and is not used if it knows another ledger: {error}")
    if as_json:
        print_json({"ledger_id": accepted.ledger_id, "position": accepted.position, "archived": accepted.archived})
    else:
        aside = f"; {accepted.archived} checkpoints of the archive are set aside" if accepted.archived else ""
        say(f"ledger {accepted.ledger_id} goes on after position {accepted.position:,}{aside}")


@click.group(cls=Group)
def clock() -> None:
    """Decide about a system clock that has jumped."""


@clock.command("accept")
@reason_option
@json_option
@pass_settings
def accept_clock(settings: Settings, reason: str, as_json: bool) -> None:
    """Let the system's present time stand, after a jump that services refuse to write with.

    Example: rps clock accept --reason "the clock was wrong before"
    """
    check_ledger(settings)
    with closing(open_core(settings)) as core:
        accepted = ClockAccepted(
            clock_us=time.time_ns() // 1_000, head_us=core.ledger.head().recorded_us, reason=reason
        )
        position = core.ledger.record(accepted).last_position
    if as_json:
        print_json({"position": position, "clock_us": accepted.clock_us, "head_us": accepted.head_us})
    else:
        say(f"{show_time(accepted.clock_us)} stands, at position {position:,}")
