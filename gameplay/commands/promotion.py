"""`rps promotion` and `rps promote`: where promotion stands, a cycle now, or the end of an open plan."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import click

from gameplay.client.cycles import CYCLE_SECONDS_MAX, CycleError, ask_for_cycles
from gameplay.client.simulate import SimulationError, connect
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
from projections.commands.console import (
    Command,
    finding,
    json_option,
    model_type_option,
    print_json,
    print_table,
    remark,
)
from projections.commands.looks import print_looks, print_windows
from projections.commands.program import Group, Problem

SOURCE = "rps promote"
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


class Asked(NamedTuple):
    """What a caller has asked for: of whom, of which families, and under which key."""

    url: str | None
    family: Family | None
    dry_run: bool
    reason: str | None
    key: str | None


def _cycle_options(command: Command) -> Command:
    for option in (
        click.option("--key", help="The same key again is the same cycle, decided once."),
        click.option("--reason", help="Kept as the source of the cycle."),
        click.option("--url", help="Ask the service at this address, instead of opening its ledger."),
        click.option("--dry-run", is_flag=True, help="Say what a cycle would decide, and write nothing."),
        model_type_option,
    ):
        command = option(command)
    return command


@promotion.command()
@_cycle_options
@json_option
@pass_settings
def cycle(
    settings: Settings,
    model_type: Family | None,
    dry_run: bool,
    url: str | None,
    reason: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Run a promotion cycle now. As JSON: one object a family.

    With --url the service decides, and needs RPS_INTERNAL_TOKEN where it has one. Exit status: 1 when a family
    could not decide, or could not do what it decided.

    Example: rps promotion cycle --model-type xgboost --dry-run
    """
    _run_cycles(settings, Asked(url, model_type, dry_run, reason, key), as_json=as_json)


@click.command()
@_cycle_options
@click.option("--withdraw", is_flag=True, hidden=True)
@json_option
@pass_settings
def promote(
    settings: Settings,
    model_type: Family | None,
    dry_run: bool,
    url: str | None,
    reason: str | None,
    key: str | None,
    withdraw: bool,
    as_json: bool,
) -> None:
    """Run a promotion cycle now: the short name of `rps promotion cycle`.

    With --url the service decides, and needs RPS_INTERNAL_TOKEN where it has one. Exit status: 1 when a family
    could not decide, or could not do what it decided.

    Example: rps promote --url http://127.0.0.1:8080 --key nightly-2026-11-26
    """
    if not withdraw:
        _run_cycles(settings, Asked(url, model_type, dry_run, reason, key), as_json=as_json)
    elif dry_run:
        raise click.UsageError("--withdraw is `rps promotion cancel`, which has no dry run")
    else:
        cancel_plan(settings, model_type, None, None, None, as_json=as_json)


def _run_cycles(settings: Settings, asked: Asked, *, as_json: bool) -> None:
    title = "What a cycle would decide" if asked.dry_run else "Promotion cycles"
    families = (asked.family,) if asked.family else FAMILIES
    if asked.url is not None:
        _ask_service(settings, asked, families, title, as_json=as_json)
        return
    run = _preview if asked.dry_run else partial(_run, source=asked.reason or SOURCE, key=asked.key)
    with opened(settings, read_only=asked.dry_run) as core:
        cycles = [_guarded(run, core, family) for family in families]
    if not any(cycle.decided for cycle in cycles):
        raise Conflict("; ".join(cycle.problem or "" for cycle in cycles))
    if as_json:
        for one in cycles:
            print_json(_record(one))
    else:
        print_table(title, _HEADINGS, list(_rows(cycles)))
        print_looks([one.decided for one in cycles if one.decided])
        print_windows([one.decided for one in cycles if one.decided])
    if any(cycle.problem for cycle in cycles):
        finding()


def _ask_service(
    settings: Settings, asked: Asked, families: Sequence[Family], title: str, *, as_json: bool
) -> None:
    """Have the service decide, and show the rows that it answers with."""
    assert asked.url is not None
    try:
        with connect(asked.url, CYCLE_SECONDS_MAX) as client:
            rows = ask_for_cycles(
                client,
                token=settings.internal_token,
                family=asked.family,
                dry_run=asked.dry_run,
                reason=asked.reason,
                key=asked.key,
            )
    except (CycleError, SimulationError) as error:
        raise Problem(settings.masking()(str(error))) from error
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(title, _HEADINGS, [_row_cells(row) for row in rows])
    decided = {row["model_type"] for row in rows if row["decision"] is not None}
    undecided = [family for family in families if family not in decided]
    if open_plans := [row["model_type"] for row in rows if row["applied"] is False and not asked.dry_run]:
        remark(f"not carried out yet: {', '.join(open_plans)}; `rps promotion status` says why")
    if undecided:
        remark(
            f"no cycle of {', '.join(undecided)}: {'; '.join(_problems(rows)) or 'the service does not say why'}"
        )
        finding()


def _problems(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (row["problem"] for row in rows if row.get("problem"))


def _row_cells(row: dict[str, Any]) -> tuple[Any, ...]:
    decision = f"{row['decision']} + reorder" if row["reorder_applied"] else row["decision"]
    reason = row["reason"] or row.get("problem")
    return row["model_type"], decision, row["z_statistic"], row["p_value"], reason


def _guarded(run: Callable[[Core, Family], Cycle], core: Core, family: Family) -> Cycle:
    """One family's trouble must not hide what the others have done."""
    try:
        return run(core, family)
    except Conflict as conflict:
        return Cycle(family, None, problem=str(conflict))


def _preview(core: Core, family: Family) -> Cycle:
    decided, planned = planning.preview(core.promotion, family)
    return Cycle(family, decided, applied=False if planned else None)


def _run(core: Core, family: Family, *, source: str, key: str | None) -> Cycle:
    decided = planning.cycle(core.promotion, family, trigger="manual", source=source, key=key)
    problem = core.promotion.problems.get(family)
    if decided is None or problem:
        return Cycle(family, decided, applied=False, problem=problem)
    moves = decided.reordered or decided.decision == "swap_production_b"
    open_plan = core.promotion.state(family).promotion.plan
    return Cycle(family, decided, applied=open_plan is None if moves else None)


def _record(cycle: Cycle) -> dict[str, Any]:
    decided = cycle.decided
    statistics = decided.statistics if decided else None
    return {
        "model_type": cycle.family,
        "decision": decided.decision if decided else None,
        "reorder": decided.reordered if decided else None,
        "z_statistic": decided.z_statistic if decided else None,
        "p_value": decided.p_value if decided else None,
        "rule": decided.rule.name if decided and decided.rule else None,
        "windows": decided.windows if decided else None,
        "statistics": statistics,
        "anytime_p": math.exp(-statistics.log_e_max) if statistics else None,
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
