"""`rps doctor`: whether a service can start here, and what keeps it from that."""

import click

from gameplay.commands.checks import Check, checks
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from projections.commands.console import Styled, bad, finding, good, json_option, print_json, print_table, warned


@click.command()
@json_option
@pass_settings
def doctor(settings: Settings, as_json: bool) -> None:
    """Look at everything that a service needs, and say what to do. Changes nothing.

    Exit status: 1 when something is wrong.

    Example: rps doctor
    """
    masked = settings.masking()
    found = [one._replace(found=masked(one.found), advice=masked(one.advice)) for one in checks(settings)]
    if as_json:
        print_json(
            {"well": all(one.state != "wrong" for one in found), "checks": [one._asdict() for one in found]}
        )
    else:
        rows = [(one.name, _shown(one), one.found, one.advice or None) for one in found]
        print_table("What a service needs", ("what", "", "found", "what to do"), rows)
    if any(one.state == "wrong" for one in found):
        finding()


def _shown(one: Check) -> Styled:
    return {"ok": good, "look": warned, "wrong": bad}[one.state](one.state)
