"""decisions: why models were promoted, derived again."""

from collections.abc import Sequence
from typing import Any

import click

from ledger.evidence import Arm
from ledger.times import show_time
from ledger.vocabulary import DECISIONS, FAMILIES, Decision, Family
from projections.audit.decisions import Audit, Checked, check_decisions
from projections.commands.cells import arm, decided, minute
from projections.commands.columns import print_fitting
from projections.commands.console import (
    bad,
    finding,
    good,
    json_option,
    model_type_option,
    print_json,
    print_table,
    progress,
    say,
)
from projections.commands.looks import e_value, otherwise
from projections.commands.numbers import WholeType
from projections.commands.one_decision import print_decision
from projections.commands.positions import PositionType, TimeType
from projections.commands.source import Source, pass_source
from projections.errors import PositionError
from projections.positions import check_span

BLOCKS = "▁▂▃▄▅▆▇█"
TREND_CYCLES = 12
LIMIT = 50
_COLUMNS = (
    "position", "recorded", "family", "by", "Production", "B", "z", "p", "p so far", "E", "decision", "otherwise",
    "again",
)  # fmt: skip
_SPARE = (("by",), ("p so far",), ("z",), ("E",), ("otherwise",), ("Production", "B"), ("recorded",))


def sparkline(values: Sequence[float | None]) -> str:
    """Numbers from 0 to 1 as a row of blocks; a dot where there is none."""
    return "".join("·" if one is None else BLOCKS[min(int(one * len(BLOCKS)), len(BLOCKS) - 1)] for one in values)


@click.command()
@model_type_option
@click.option("--decision", "wanted", type=click.Choice(DECISIONS), multiple=True, help="May repeat.")
@click.option("--since", type=TimeType(), default=None, help="Not before this time, such as 2026-11-12 or -2h.")
@click.option("--until", type=TimeType(), default=None, help="Not after this time.")
@click.option("--position", type=PositionType(1), default=None, help="One decision, in full.")
@click.option(
    "--limit", type=WholeType(1), default=None, help=f"The newest so many.  [default: {LIMIT}; as JSON all]"
)
@json_option
@pass_source
def decisions(
    source: Source,
    model_type: Family | None,
    wanted: tuple[Decision, ...],
    since: int | None,
    until: int | None,
    position: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Derive every promotion decision again: recount its games, repeat the test, compare the verdict.

    All are derived again, whichever are shown.

    Example: rps-audit decisions --model-type xgboost --decision swap_production_b --since -2w
    """
    check_span(since, until)
    ledger = source.reader()
    events = ledger.head().position
    with progress("Recounting", events) as read, progress("Deriving", None, events) as derived:
        audit = check_decisions(ledger, (model_type,) if model_type else FAMILIES, read, derived)
    shown = [one for one in audit.decisions if _is_wanted(one, wanted, since, until, position)]
    if position is not None and not shown:
        raise PositionError(
            f"position {position} is no promotion cycle{f' of {model_type}' if model_type else ''}"
        )
    if as_json:
        print_json(_record(audit, shown[-limit:] if limit else shown))
    elif position is not None:
        print_decision(shown[0])
    else:
        _print(audit, shown, limit or LIMIT)
    if not audit.agrees:
        finding()


def _is_wanted(
    one: Checked, wanted: Sequence[Decision], since: int | None, until: int | None, position: int | None
) -> bool:
    """A reorder is beside the decision of its cycle, so a cycle may be wanted for either."""
    made = {one.event.decision, *(("alias_reorder",) if one.event.reordered else ())}
    return (
        (not wanted or not made.isdisjoint(wanted))
        and (since is None or one.recorded_us >= since)
        and (until is None or one.recorded_us <= until)
        and position in (None, one.position)
    )


def _print(audit: Audit, shown: Sequence[Checked], limit: int) -> None:
    # First what casts doubt on the games and moves themselves: everything below it rests on them.
    if audit.problems:
        problems = [(one.position, one.family, one.game_id, one.problem) for one in audit.problems]
        print_table("Games that contradict themselves", ("position", "family", "game", "what"), problems)
    if audit.moves:
        print_table("Moves that are not their plans", ("position", "family", "what"), audit.moves)
    trends = _trends(audit.decisions)
    rows = [_row(one, trends[one.position]) for one in shown[-limit:]]
    print_fitting("Promotion decisions, derived again from raw games", _COLUMNS, rows, *_SPARE)
    if hidden := len(audit.decisions) - len(rows):
        which = "earlier" if len(shown) == len(audit.decisions) else "other"
        say(f"{hidden} {which} ones are checked and not shown")
    mismatches = [
        (one.position, mismatch.field, str(mismatch.recorded), str(mismatch.recomputed))
        for one in audit.decisions
        for mismatch in one.mismatches
    ]
    if mismatches:
        print_table("Mismatches", ("position", "what", "recorded", "again"), mismatches)
    for one in audit.decisions:
        for note in one.notes:
            say(f"position {one.position}, {note}")
    agreeing = sum(one.agrees for one in audit.decisions)
    total = len(audit.decisions)
    say((good if audit.agrees else bad)(f"{agreeing} of {total} decisions agree"))


def _row(one: Checked, trend: Sequence[float | None]) -> tuple[Any, ...]:
    event = one.event
    verdict = good("agrees") if one.agrees else bad("differs")
    outcome = decided(event)
    return (
        one.position,
        minute(one.recorded_us),
        event.model_type,
        event.trigger,
        arm(event.evidence.production) if event.evidence else None,
        arm(event.evidence.b) if event.evidence else None,
        event.z_statistic,
        event.p_value,
        sparkline(trend),
        e_value(event.statistics),
        outcome,
        otherwise(event),
        verdict,
    )


def _trends(checked: Sequence[Checked]) -> dict[int, list[float | None]]:
    """Position of a decision -> the p of the family's last cycles, this one included."""
    trends: dict[int, list[float | None]] = {}
    newest: dict[Family, list[float | None]] = {}
    for one in checked:
        earlier = newest.get(one.event.model_type, [])
        trends[one.position] = newest[one.event.model_type] = [*earlier, one.event.p_value][-TREND_CYCLES:]
    return trends


def _arm(arm: Arm | None) -> dict[str, int] | None:
    return {"version": arm.version, "wins": arm.window.wins, "games": arm.window.games} if arm else None


def _record(audit: Audit, shown: Sequence[Checked]) -> dict[str, Any]:
    trends = _trends(audit.decisions)
    return {
        "agrees": audit.agrees,
        "decisions": [
            {
                "position": one.position,
                "recorded": show_time(one.recorded_us),
                "model_type": one.event.model_type,
                "cycle": one.event.cycle,
                "trigger": one.event.trigger,
                "decision": one.event.decision,
                "reason_code": one.event.reason_code,
                "reason": one.event.reason,
                "reordered": one.event.reordered,
                "production": _arm(one.event.evidence.production if one.event.evidence else None),
                "b": _arm(one.event.evidence.b if one.event.evidence else None),
                "z_statistic": one.event.z_statistic,
                "p_value": one.event.p_value,
                "p_so_far": trends[one.position],
                "rule": one.event.rule.name if one.event.rule else None,
                "windows": one.event.windows,
                "statistics": one.event.statistics,
                "verdicts": one.event.verdicts,
                "event": one.event,
                "agrees": one.agrees,
                "mismatches": one.mismatches,
                "notes": one.notes,
            }
            for one in shown
        ],
        "problems": [problem._asdict() for problem in audit.problems],
        "moves": [move._asdict() for move in audit.moves],
    }
