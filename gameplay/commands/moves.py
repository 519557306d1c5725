"""`rps promotion history`: what has happened to the aliases, by whom and why."""

import click
from msgspec import structs

from gameplay.commands.opened import opened
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.promotion.operator.records import Record, records
from ledger.times import show_time
from ledger.vocabulary import FAMILIES, Family
from projections.commands.console import json_option, model_type_option, print_json, print_table
from projections.commands.numbers import WholeType

_HEADINGS = ("position", "time", "family", "what", "actor", "reason", "done")


@click.command()
@model_type_option
@click.option("--limit", type=WholeType(1), default=20, show_default=True, help="How many, the newest first.")
@json_option
@pass_settings
def history(settings: Settings, model_type: Family | None, limit: int, as_json: bool) -> None:
    """Show what has happened to the aliases: cycles, moves by hand, pins, rules. As JSON: one object each.

    Example: rps promotion history --model-type xgboost --limit 50
    """
    with opened(settings, read_only=True) as core:
        found = records(core.ledger, (model_type,) if model_type else FAMILIES, limit=limit)
    if as_json:
        for record in found:
            print_json({**structs.asdict(record), "recorded": show_time(record.recorded_us)})
    else:
        print_table("Promotion history", _HEADINGS, [_cells(record) for record in found])


def _cells(record: Record) -> tuple[object, ...]:
    return (
        record.position,
        show_time(record.recorded_us)[:19],
        record.family,
        record.text,
        record.actor,
        record.reason,
        record.applied,
    )
