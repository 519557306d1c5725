"""`rps promotion` and `rps promote`: where promotion stands, a cycle now, or the end of an open plan."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import click

from gameplay.commands.moves import history
from gameplay.commands.opened import opened
from gameplay.commands.orders import approve, cancel, cancel_plan, pin, reject, swap, undo, unpin
from gameplay.commands.screen import status
from gameplay.commands.settings import pass_settings
from gameplay.config import Settings
from gameplay.core import Core
from gameplay.promotion import planning
from gameplay.refusals import Conflict
from ledger.events import CycleDecided
from ledger.vocabulary import FAMILIES, Family
from projections.commands.console import finding, json_option, model_type_option, print_json, print_table
from projections.commands.looks import print_looks, print_windows
from projections.commands.program import Group

_HEADINGS = ("family", "decision", "z", "p", "reason")


class Cycle(NamedTuple):
    """What became of a family's cycle: a decision, or the problem that kept it from one.

    `applied`: whether what was planned has been done; None when nothing was planned.
    """

    family: Family
    decided: CycleDecided | None
    applied: bool | None = None
    problem: str | None = None


@click.group(cls=Group)
def promotion() -> None:
    """Show where promotion stands, run a cycle, or move aliases by hand: pin, swap, undo."""


for _order in (pin, unpin, swap, undo, approve, reject, cancel):
    promotion.add_command(_order)
promotion.add_command(history)
promotion.add_command(status)


@promotion.command()
@model_type_option
@click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing.")
@json_option
@pass_settings
def cycle(settings: Settings, model_type: Family | None, dry_run: bool, as_json: bool) -> None:
    """Run a promotion cycle now. As JSON: one object a family.

    Exit status: 1 when a family could not decide, or could not do what it decided.

    Example: rps promotion cycle --model-type xgboost --dry-run
    """
    _run_cycles(settings, model_type, dry_run=dry_run, as_json=as_json)


@click.command()
@model_type_option
@click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing.")
@click.option("--withdraw", is_flag=True, hidden=True)
@json_option
@pass_settings
def promote(settings: Settings, model_type: Family | None, dry_run: bool, withdraw: bool, as_json: bool) -> None:
    """Run a promotion cycle now: the short name of `rps promotion cycle`.

    Exit status: 1 when a family could not decide, or could not do what it decided.

    Example: rps promote --model-type xgboost --dry-run
    """
    if not withdraw:
        _run_cycles(settings, model_type, dry_run=dry_run, as_json=as_json)
    elif dry_run:
        raise click.UsageError("--withdraw is `rps promotion cancel`, which has no dry run")
    else:
        cancel_plan(settings, model_type, None, None, None, as_json=as_json)


def _run_cycles(settings: Settings, model_type: Family | None, *, dry_run: bool, as_json: bool) -> None:
    run = _preview if dry_run else _run
    with opened(settings, read_only=dry_run) as core:
        cycles = [_guarded(run, core, family) for family in ((model_type,) if model_type else FAMILIES)]
    if not any(cycle.decided for cycle in cycles):
        raise Conflict("; ".join(cycle.problem or "" for cycle in cycles))
    if as_json:
        for one in cycles:
            print_json(_record(one))
    else:
        title = "What a cycle would decide" if dry_run else "Promotion cycles"
        print_table(title, _HEADINGS, list(_rows(cycles)))
        print_looks([one.decided for one in cycles if one.decided])
        print_windows([one.decided for one in cycles if one.decided])
    if any(cycle.problem for cycle in cycles):
        finding()


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
    open_plan = core.promotion.state(family).promotion.plan
    return Cycle(family, decided, applied=open_plan is None if moves else None)


def _record(cycle: Cycle) -> dict[str, Any]:
    decided = cycle.decided
    return {
        "model_type": cycle.family,
        "decision": decided.decision if decided else None,
        "reorder": decided.reordered if decided else None,
        "z_statistic": decided.z_statistic if decided else None,
        "p_value": decided.p_value if decided else None,
        "rule": decided.rule.name if decided and decided.rule else None,
        "windows": decided.windows if decided else None,
        "statistics": decided.statistics if decided else None,
        "verdicts": decided.verdicts if decided else (),
        "reason_code": decided.reason_code if decided else None,
        "reason": decided.reason if decided else None,
        "applied": cycle.applied,
        "problem": cycle.problem,
    }


def _rows(cycles: Iterable[Cycle]) -> Iterator[tuple[str | float | None, ...]]:
    for family, decided, _, problem in cycles:
        if decided is None:
            yield family, None, None, None, problem
            continue
        decision = f"{decided.decision} + reorder" if decided.reordered else decided.decision
        reason = f"{decided.reason} But {problem}" if problem else decided.reason
        yield family, decision, decided.z_statistic, decided.p_value, reason
