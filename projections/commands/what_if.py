"""what-if: what another rule would have done."""

from decimal import Decimal, InvalidOperation
from typing import Any

import click
from msgspec import structs

from ledger.vocabulary import FAMILIES, Family
from projections.commands.cells import arm, decided, minute
from projections.commands.console import (
    bad,
    good,
    json_option,
    model_option,
    print_json,
    print_table,
    progress,
    say,
)
from projections.commands.source import Source
from projections.rules import KNOWN_RULES
from projections.what_if import Change, Outcome
from projections.what_if import what_if as other_history


class AlphaType(click.ParamType[str]):
    """A decimal between 0 and 1, kept as it was written."""

    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text of a decimal that can be an alpha."""
        try:
            fits = Decimal(0) < Decimal(str(value)) < Decimal(1)
        except InvalidOperation:
            fits = False
        if not fits:
            self.fail(f"{value!r} is no decimal between 0 and 1", param, ctx)
        return str(value)


@click.command("what-if")
@click.option("--alpha", type=AlphaType(), default=None, help="Swap when p is below it.")
@click.option("--minimum-games", type=click.IntRange(min=1), default=None, help="Games that each alias needs.")
@click.option("--minimum-predictions", type=click.IntRange(min=1), default=None, help="Predictions for a re-rank.")
@click.option("--rule", type=click.Choice(KNOWN_RULES), default=None, help="Another test.")
@model_option
@json_option
@click.pass_obj
def what_if(
    source: Source,
    alpha: str | None,
    minimum_games: int | None,
    minimum_predictions: int | None,
    rule: str | None,
    model: Family | None,
    as_json: bool,
) -> None:
    """Run the same events under another rule: what would have been decided, and what would have followed.

    Example: rps-audit what-if --alpha 0.05 --minimum-games 30
    """
    change = Change(rule, alpha, minimum_games, minimum_predictions)
    ledger = source.reader()
    with progress("Replaying", ledger.head().position) as advance:
        outcomes = other_history(ledger, change, (model,) if model else FAMILIES, advance)
    if as_json:
        print_json({"change": change, "outcomes": [_outcome(one) for one in outcomes]})
        return
    changed = ", ".join(f"{name} = {value}" for name, value in _changes(change)) or "nothing changed"
    print_table(f"Under another rule ({changed})", _HEADINGS, [_family_row(one) for one in outcomes])
    rows = [_cycle_row(cycle) for one in outcomes for cycle in one.cycles if cycle.differs]
    if rows:
        headings = ("position", "recorded", "family", "decided", "otherwise", "Production", "B", "p", "exact")
        print_table("Cycles that would have gone otherwise", headings, rows)
    for one in outcomes:
        _explain(one)


_HEADINGS = (
    "family",
    "cycles",
    "otherwise",
    "swaps",
    "otherwise",
    "better one was Production",
    "otherwise",
    "exact",
)


def _changes(change: Change) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in structs.asdict(change).items() if value is not None]


def _family_row(one: Outcome) -> tuple[Any, ...]:
    return (
        one.model_type,
        len(one.cycles),
        sum(cycle.differs for cycle in one.cycles),
        len(one.actual_swaps),
        len(one.other_swaps),
        _share(one.better_share(one.actual_reigns)),
        _share(one.better_share(one.other_reigns)),
        good("throughout") if one.exact_until is None else bad(f"up to {one.exact_until:,}"),
    )


def _share(measured: tuple[float, float]) -> str | None:
    better, seconds = measured
    return f"{better / seconds:.0%} of {_duration(seconds)}" if seconds else None


def _duration(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    return f"{seconds / 3_600:.1f} h" if seconds >= 3_600 else f"{seconds:.0f} s"


def _cycle_row(cycle: Any) -> tuple[Any, ...]:
    evidence = cycle.other.evidence
    return (
        cycle.position,
        minute(cycle.recorded_us),
        cycle.model_type,
        decided(cycle.actual),
        decided(cycle.other),
        arm(evidence.production),
        arm(evidence.b),
        cycle.other.p_value,
        cycle.exact,
    )


def _explain(one: Outcome) -> None:
    if one.exact_until is not None:
        say(
            f"{one.model_type}: from position {one.exact_until:,} on, a version would have stood behind Production"
            f" or B that did not play there; {one.unused_games} games of others were left out; the rest is a guess"
        )
    elif one.parted_position is not None:
        say(
            f"{one.model_type}: the histories part at position {one.parted_position:,}; the same two versions play"
            " on, so their games count for them"
        )


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "model_type": one.model_type,
        "cycles": len(one.cycles),
        "different_cycles": [
            {
                "position": cycle.position,
                "decided": cycle.actual.decision,
                "otherwise": cycle.other.decision,
                "reordered": cycle.actual.reordered,
                "otherwise_reordered": cycle.other.reordered,
                "z_statistic": cycle.other.z_statistic,
                "p_value": cycle.other.p_value,
                "exact": cycle.exact,
            }
            for cycle in one.cycles
            if cycle.differs
        ],
        "swaps": [reign._asdict() for reign in one.actual_swaps],
        "otherwise_swaps": [reign._asdict() for reign in one.other_swaps],
        "better_seconds": one.better_share(one.actual_reigns),
        "otherwise_better_seconds": one.better_share(one.other_reigns),
        "parted_position": one.parted_position,
        "exact_until": one.exact_until,
        "unused_games": one.unused_games,
        "win_rates": {str(version): rate for version, rate in sorted(one.win_rates.items())},
    }
