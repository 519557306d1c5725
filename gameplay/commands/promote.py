"""`rps promote`: a promotion cycle now, what it would decide, or the end of a plan that cannot be carried out."""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import click
from rich.table import Table

from gameplay.commands.console import EXIT_FINDING, opened, output
from gameplay.config import Settings
from gameplay.core import Core
from gameplay.promotion import applying, planning
from gameplay.refusals import Conflict
from ledger.events import CycleDecided
from ledger.vocabulary import FAMILIES, Family


class Cycle(NamedTuple):
    """What became of a family's cycle: a decision, or the problem that kept it from one.

    `applied`: whether what was planned has been done; None when nothing was planned.
    """

    family: Family
    decided: CycleDecided | None
    applied: bool | None = None
    problem: str | None = None


@click.command()
@click.option("--model-type", type=click.Choice(FAMILIES), help="One family only.")
@click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing.")
@click.option("--withdraw", is_flag=True, help="Close the family's open plan without carrying it out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each family.")
@click.pass_obj
def promote(settings: Settings, model_type: Family | None, dry_run: bool, withdraw: bool, as_json: bool) -> None:
    """Run a promotion cycle now.

    Exit status: 1 when a family could not decide, or could not do what it decided.

    Example: rps promote --model-type xgboost --dry-run
    """
    if withdraw:
        if model_type is None or dry_run or as_json:
            raise click.UsageError("--withdraw goes with --model-type, and with nothing else")
        _withdraw(settings, model_type)
        return
    run = _preview if dry_run else _run
    with opened(settings) as core:
        cycles = [_guarded(run, core, family) for family in ((model_type,) if model_type else FAMILIES)]
    if not any(cycle.decided for cycle in cycles):
        raise Conflict("; ".join(cycle.problem or "" for cycle in cycles))
    if as_json:
        for cycle in cycles:
            click.echo(json.dumps(_record(cycle)))
    else:
        output.print(_table(cycles, dry_run=dry_run))
    if any(cycle.problem for cycle in cycles):
        click.get_current_context().exit(EXIT_FINDING)


def _withdraw(settings: Settings, family: Family) -> None:
    with opened(settings) as core:
        withdrawn = applying.cancel(core.promotion, family)
    if withdrawn is None:
        output.print(f"{family} has no open plan")
    else:
        versions = ", ".join(f"{one.alias} v{one.after}" for one in withdrawn.assignments)
        output.print(f"{family}: plan {withdrawn.plan} is withdrawn; the aliases stay {versions}")


def _guarded(run: Callable[[Core, Family], Cycle], core: Core, family: Family) -> Cycle:
    """One family's trouble must not hide what the others have done."""
    try:
        return run(core, family)
    except Conflict as conflict:
        return Cycle(family, None, problem=str(conflict))


def _preview(core: Core, family: Family) -> Cycle:
    decided, planned = planning.preview(core.promotion, family)
    return Cycle(family, decided, applied=False if planned else None)


def _run(core: Core, family: Family) -> Cycle:
    decided = planning.cycle(core.promotion, family, trigger="manual", source="rps promote")
    problem = core.promotion.problems.get(family)
    if decided is None or problem:
        return Cycle(family, decided, applied=False, problem=problem)
    moves = decided.reordered or decided.decision == "swap_production_b"
    return Cycle(family, decided, applied=True if moves else None)


def _record(cycle: Cycle) -> dict[str, Any]:
    decided = cycle.decided
    return {
        "model_type": cycle.family,
        "decision": decided.decision if decided else None,
        "reorder": decided.reordered if decided else None,
        "z_statistic": decided.z_statistic if decided else None,
        "p_value": decided.p_value if decided else None,
        "reason": decided.reason if decided else None,
        "applied": cycle.applied,
        "problem": cycle.problem,
    }


def _table(cycles: Iterable[Cycle], *, dry_run: bool) -> Table:
    table = Table(title="What a cycle would decide" if dry_run else "Promotion cycles")
    for heading in ("family", "decision", "z", "p", "reason"):
        table.add_column(heading)
    for family, decided, _, problem in cycles:
        if decided is None:
            table.add_row(family, "-", "", "", problem)
            continue
        decision = f"{decided.decision} + re-rank" if decided.reordered else decided.decision
        reason = f"{decided.reason} But {problem}" if problem else decided.reason
        table.add_row(family, decision, _number(decided.z_statistic), _number(decided.p_value), reason)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
