"""`rps promotion status`: where each family stands, on one screen."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
from msgspec import to_builtins

from gameplay.commands.opened import opened
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.cron import next_firings
from gameplay.promotion.operator.status import Behind, Status
from gameplay.promotion.operator.status import status as status_of
from ledger.evidence import Tally
from ledger.vocabulary import FAMILIES, Family
from projections.commands.console import json_option, model_type_option, print_json, print_table, say

_HEADINGS = ("alias", "version", "since", "why", "pinned")


@click.command()
@model_type_option
@json_option
@pass_settings
def status(settings: Settings, model_type: Family | None, as_json: bool) -> None:
    """Show who is behind which alias and why, the evidence, what each rule says, and what holds a swap back.

    As JSON: one object a family.

    Example: rps promotion status --json
    """
    line = settings.promotion_schedule
    firing = next_firings(line, datetime.now(UTC), 1)[0] if line else None
    with opened(settings, read_only=True) as core:
        families = (model_type,) if model_type else FAMILIES
        found = [status_of(core.promotion, family, firing) for family in families]
    for one in found:
        if as_json:
            print_json(to_builtins(one))
        else:
            _print(one)


def _print(one: Status) -> None:
    next_cycle = one.next_cycle or "off"
    title = f"{one.model_type}: cycle {one.cycle}, {one.cycles_since_swap} since the last swap; next {next_cycle}"
    print_table(title, _HEADINGS, [_cells(behind) for behind in one.aliases])
    for line in _lines(one):
        say(f"  {line}")


def _cells(behind: Behind) -> tuple[object, ...]:
    why: str | None = behind.cause
    if behind.cycle is not None:
        why = f"cycle {behind.cycle}"
    elif behind.actor is not None:
        why = f"{behind.cause} by {behind.actor}"
    pin, pinned = behind.pin, None
    if pin is not None:
        until = f" until {pin.expires[:19]}" if pin.expires else ""
        broken = f", and moved from v{pin.version} outside" if pin.is_broken else ""
        pinned = f"by {pin.actor}{until}{broken}"
    return behind.alias, behind.version, behind.since and behind.since[:19], why, pinned


def _lines(one: Status) -> Iterator[str]:
    if one.plan is not None:
        who = f" by {one.plan.actor}" if one.plan.actor else ""
        yield f"open plan {one.plan.version}, {one.plan.cause}{who}: {one.plan.moves}"
        if one.plan.problem:
            yield f"it cannot be completed: {one.plan.problem}"
    if one.production is not None and one.b is not None:
        yield f"evidence: Production won {_share(one.production)}, B {_share(one.b)}"
    if (verdict := one.verdict) is not None:
        held = ", held back" if verdict.held else ""
        said = f"{verdict.decision} ({verdict.reason_code}{held}): {verdict.reason}"
        yield f"{one.rule} at alpha {one.alpha} says {said}"
        if verdict.b_wins_in_a_row:
            yield f"B would have to win {verdict.b_wins_in_a_row:,} games in a row for a swap"
        for other in one.verdicts:
            if other.rule != one.rule:
                yield f"{other.rule} says {other.decision} ({other.reason_code})"
    if (traffic := one.traffic) is not None and traffic.games_needed is not None:
        hours = "" if traffic.hours is None else f", {traffic.hours:,.1f} hours as the last day went"
        yield (
            f"games: {traffic.games_needed:,} of each side show ten points, {traffic.games_missing:,} are missing"
            f"{hours} ({traffic.games_last_day:,} games)"
        )


def _share(tally: Tally) -> str:
    return f"{tally.wins:,} of {tally.games:,}"
