"""`rps promote`: a promotion cycle now, or what it would decide."""

import json
from collections.abc import Iterable
from typing import Any

import click
from rich.table import Table

from gameplay.commands.console import opened, output
from gameplay.config import Settings
from gameplay.core import Core
from ledger.events import AliasesPlanned, CycleDecided
from ledger.vocabulary import FAMILIES, Family

Decided = tuple[Family, CycleDecided | None, bool]


@click.command()
@click.option("--model-type", type=click.Choice(FAMILIES), help="One family only.")
@click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each family.")
@click.pass_obj
def promote(settings: Settings, model_type: Family | None, dry_run: bool, as_json: bool) -> None:
    """Run a promotion cycle now.

    Example: rps promote --model-type xgboost --dry-run
    """
    families: tuple[Family, ...] = (model_type,) if model_type else FAMILIES
    with opened(settings) as core:
        decided = [_cycle(core, family, dry_run) for family in families]
    if as_json:
        for family, cycle, moves in decided:
            click.echo(json.dumps(_cycle_record(family, cycle, moves)))
    else:
        output.print(_cycles_table(decided, dry_run=dry_run))


def _cycle(core: Core, family: Family, dry_run: bool) -> Decided:
    if dry_run:
        cycle, planned = core.promotion.preview(family)
        return family, cycle, isinstance(planned, AliasesPlanned)
    decided = core.promotion.cycle(family, trigger="manual", source="rps promote")
    return family, decided, decided is not None and core.promotion.moment(family).standing.plan is None


def _cycle_record(family: Family, cycle: CycleDecided | None, moves: bool) -> dict[str, Any]:
    if cycle is None:
        return {"model_type": family, "decision": None, "reason": "an open plan could not be completed"}
    return {
        "model_type": family,
        "decision": cycle.decision,
        "reorder": cycle.reordered,
        "z_statistic": cycle.z_statistic,
        "p_value": cycle.p_value,
        "reason": cycle.reason,
        "applied": moves,
    }


def _cycles_table(decided: Iterable[Decided], *, dry_run: bool) -> Table:
    table = Table(title="What a cycle would decide" if dry_run else "Promotion cycles")
    for heading in ("family", "decision", "z", "p", "reason"):
        table.add_column(heading)
    for family, cycle, _ in decided:
        if cycle is None:
            table.add_row(family, "-", "", "", "an open plan could not be completed; is the registry up?")
            continue
        decision = f"{cycle.decision} + re-rank" if cycle.reordered else cycle.decision
        table.add_row(family, decision, _number(cycle.z_statistic), _number(cycle.p_value), cycle.reason)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
