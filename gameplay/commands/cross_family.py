"""`rps cross-family`: how many games the other families predict along, shown and set."""

import click

from gameplay.commands.opened import check_ledger
from gameplay.commands.orders import NO_REASON, login_name
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import open_play_core
from gameplay.promotion.operator.orders import Origin, check
from gameplay.serving.tracking import NOBODY, in_order, set_tracking, settings_in
from ledger.events import CrossFamilySet
from ledger.store import Ledger
from ledger.times import show_time
from ledger.vocabulary import PLAYER_KINDS, PlayerKind
from projections.commands.console import json_option, print_json, print_table, say
from projections.commands.numbers import DecimalType

_HEADINGS = ("position", "time", "share", "players", "by", "reason")


@click.command("cross-family")
@click.option("--share", type=DecimalType(0, 1), help="Share of the games from now on, 0 to 1.")
@click.option(
    "--players",
    type=click.Choice(PLAYER_KINDS),
    multiple=True,
    help="Whose games; may repeat.",
)
@click.option("--reason", help="Why; it is kept in the ledger.")
@click.option("--actor", help="Who orders it; by default the login name.")
@json_option
@pass_settings
def cross_family(
    settings: Settings,
    share: float | None,
    players: tuple[PlayerKind, ...],
    reason: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Show the share of games that the two other families predict along, or set it.

    It holds for games that start from now on, in every running service and after a restart, until it is set
    again, or a service starts with another RPS_CROSS_FAMILY_SHARE or RPS_CROSS_FAMILY_FOR than before.

    Example: rps cross-family --share 0.1 --reason "how do the others read our players?"
    """
    if share is None and players:
        raise click.UsageError("--players comes with --share")
    origin = Origin(actor=actor or login_name(), reason=reason or NO_REASON)
    check(origin)
    check_ledger(settings)
    core = open_play_core(settings)
    try:
        ledger = core.ledger
        if share is not None:
            before = in_force(ledger)
            asked = in_order(players) or before.players
            set_tracking(
                ledger, CrossFamilySet(share=share, players=asked, actor=origin.actor, reason=origin.reason)
            )
        _show(settings, ledger, as_json=as_json)
    finally:
        core.close()


def in_force(ledger: Ledger) -> CrossFamilySet:
    """What holds for the next game."""
    known = settings_in(ledger)
    return known[-1][1] if known else NOBODY


def _show(settings: Settings, ledger: Ledger, *, as_json: bool) -> None:
    now, known = in_force(ledger), settings_in(ledger)
    share_here, players_here = settings.cross_family_share, in_order(settings.cross_family_for)
    if as_json:
        print_json(
            {
                "share": now.share,
                "players": now.players,
                "environment": {"share": share_here, "players": players_here},
                "settings": [
                    {
                        "position": entry.position,
                        "recorded": show_time(entry.recorded_us),
                        "share": event.share,
                        "players": event.players,
                        "actor": event.actor,
                        "reason": event.reason,
                    }
                    for entry, event in known
                ],
            }
        )
        return
    whose = ", ".join(now.players)
    say(f"A share of {now.share:g} of the games of {whose} is predicted by the other families, too")
    names = " ".join(players_here)
    say(f"The settings here: RPS_CROSS_FAMILY_SHARE is {share_here:g}, RPS_CROSS_FAMILY_FOR is {names}")
    if known:
        rows = [
            (
                entry.position,
                show_time(entry.recorded_us)[:19],
                event.share,
                " ".join(event.players),
                event.actor or "the settings",
                event.reason,
            )
            for entry, event in known
        ]
        print_table("What has been set", _HEADINGS, rows)
