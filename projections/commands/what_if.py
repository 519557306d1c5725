"""what-if: what another rule would have done."""

from collections.abc import Iterator
from typing import Any, get_args

import click
from msgspec import structs

from ledger.times import show_time
from ledger.vocabulary import FAMILIES, GUARD_REASONS, CountedPlayers, EvidenceWindow, Family
from projections.audit.counterfactual import Change
from projections.audit.histories import GAMES_FEW, Cycle, Histories, Period, Time
from projections.audit.what_if import what_if as counterfactual
from projections.commands.cells import arm, counted, decided, minute
from projections.commands.columns import print_fitting
from projections.commands.console import (
    bad,
    good,
    json_option,
    model_type_option,
    print_json,
    print_table,
    progress,
    say,
)
from projections.commands.numbers import AlphaType, WholeType
from projections.commands.source import Source, pass_source
from projections.decision.rules import KNOWN_RULES


@click.command("what-if")
@click.option(
    "--alpha",
    type=AlphaType(),
    default=None,
    help="Swap when p is below it, or, by the anytime rule, not above it.",
)
@click.option("--minimum-games", type=WholeType(1), default=None, help="Games that each alias needs.")
@click.option("--minimum-predictions", type=WholeType(1), default=None, help="Predictions for a reorder.")
@click.option("--rule", type=click.Choice(KNOWN_RULES), default=None, help="Another test.")
@click.option(
    "--settle-seconds", type=WholeType(1), default=None, help="How old a game has to be for the anytime rule."
)
@click.option(
    "--evidence",
    type=click.Choice(get_args(EvidenceWindow)),
    default=None,
    help="Games since the last swap, or those of the two versions behind Production and B.",
)
@click.option(
    "--players", type=click.Choice(get_args(CountedPlayers)), default=None, help="Whose games are evidence."
)
@model_type_option
@json_option
@pass_source
def what_if(
    source: Source,
    alpha: str | None,
    minimum_games: int | None,
    minimum_predictions: int | None,
    rule: str | None,
    settle_seconds: int | None,
    evidence: EvidenceWindow | None,
    players: CountedPlayers | None,
    model_type: Family | None,
    as_json: bool,
) -> None:
    """Run the same events under another rule: what would have been decided, and what would have followed.

    Guards hold swaps back as they did in each cycle.

    Example: rps-audit what-if --alpha 0.05 --minimum-games 30
    """
    change = Change(rule, alpha, minimum_games, minimum_predictions, settle_seconds, evidence, players)
    ledger = source.reader()
    with progress("Replaying", ledger.head().position) as advance:
        outcomes = counterfactual(ledger, change, (model_type,) if model_type else FAMILIES, advance)
    if as_json:
        print_json({"change": change, "outcomes": [_outcome(one) for one in outcomes]})
        return
    _print(change, outcomes)


def _print(change: Change, outcomes: list[Histories]) -> None:
    print_table(f"Under another rule ({_changes(change)})", _FAMILY, [_family_row(one) for one in outcomes])
    print_table("Time with the better version as Production", _TIME, [_time_row(one) for one in outcomes])
    for one in outcomes:
        if one.tallies:
            say(_tallies(one))
    if swaps := [row for one in outcomes for row in _swap_rows(one)]:
        print_table("Swaps", ("position", "recorded", "family", "Production", "history"), swaps)
    if cycles := [_cycle_row(cycle) for one in outcomes for cycle in one.cycles if cycle.differs]:
        arms, time = ("Production", "B"), ("recorded",)
        print_fitting("Cycles that would have gone otherwise", _CYCLE, cycles, arms, time)
    for one in outcomes:
        if limits := _limits(one):
            say(f"{one.model_type}: {limits}")
        if held := [cycle for cycle in one.cycles if cycle.counterfactual.reason_code in GUARD_REASONS]:
            first = f"the first at position {held[0].position:,}"
            say(f"{one.model_type}: guards would have held back {counted(len(held), 'swap')}, {first}")


_FAMILY = ("family", "cycles", "otherwise", "swaps", "otherwise", "exact")
_TIME = ("family", "whole time", "better", "otherwise", "neither", "otherwise")
_CYCLE = ("position", "recorded", "family", "decided", "otherwise", "Production", "B", "p", "exact")


def _changes(change: Change) -> str:
    named = {"rule": change.name, **structs.asdict(change)}
    given = [f"{name} = {value}" for name, value in named.items() if value is not None and name != "name"]
    return ", ".join(given) or "nothing changed"


def _family_row(one: Histories) -> tuple[Any, ...]:
    return (
        one.model_type,
        len(one.cycles),
        sum(cycle.differs for cycle in one.cycles),
        len(one.actual_swaps),
        len(one.counterfactual_swaps),
        good("throughout") if one.exact_until is None else bad(f"up to {one.exact_until:,}"),
    )


def _time_row(one: Histories) -> tuple[Any, ...]:
    actual, other = one.time(one.actual_periods), one.time(one.counterfactual_periods)
    return (
        one.model_type,
        _duration(actual.whole_seconds) if one.actual_periods else None,
        _share(actual.better_seconds, actual),
        _share(other.better_seconds, other),
        _share(actual.level_seconds, actual),
        _share(other.level_seconds, other),
    )


def _share(seconds: float, time: Time) -> str | None:
    return f"{seconds / time.whole_seconds:.0%}" if time.whole_seconds else None


def _duration(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    return f"{seconds / 3_600:.1f} h" if seconds >= 3_600 else f"{seconds:.0f} s"


def _tallies(one: Histories) -> str:
    """What "better" rests on: each version's games, and whether they are enough to say so."""
    compared = one.compared
    tallies = ", ".join(f"v{version} won {tally.wins} of {tally.games}" for version, tally in compared.items())
    few = [f"v{version}" for version, tally in compared.items() if tally.games < GAMES_FEW]
    doubt = f"; fewer than {GAMES_FEW} games say little: {', '.join(few)}" if few else ""
    return f"{one.model_type}: {tallies}{doubt}"


def _swap_rows(one: Histories) -> Iterator[tuple[Any, ...]]:
    """The swaps of both histories, by position."""
    actual, other = set(one.actual_swaps), set(one.counterfactual_swaps)
    for swap in sorted(actual | other):
        history = "both" if swap in actual & other else "actual" if swap in actual else "otherwise"
        yield swap.position, minute(swap.recorded_us), one.model_type, _step(swap), history


def _step(swap: Period) -> str:
    return f"v{swap.b} -> v{swap.production}"


def _cycle_row(cycle: Cycle) -> tuple[Any, ...]:
    evidence = cycle.counterfactual.evidence
    assert evidence is not None
    return (
        cycle.position,
        minute(cycle.recorded_us),
        cycle.model_type,
        decided(cycle.actual),
        decided(cycle.counterfactual),
        arm(evidence.production),
        arm(evidence.b),
        cycle.counterfactual.p_value,
        cycle.exact,
    )


def _limits(one: Histories) -> str | None:
    """How far the answer can be trusted."""
    if one.exact_until is not None:
        unused = f"; {counted(one.unused_games, 'game')} of others left out" if one.unused_games else ""
        return (
            f"after position {one.exact_until:,} a version would have been behind Production or B that did not"
            f" play there{unused}; the rest is a guess"
        )
    if one.parted_position is not None:
        return (
            f"the histories part at position {one.parted_position:,}; the same two versions play on, and their"
            " games are a fair sample of those that would have been played"
        )
    return None


def _outcome(one: Histories) -> dict[str, Any]:
    return {
        "model_type": one.model_type,
        "cycles": len(one.cycles),
        "different_cycles": [
            {
                "position": cycle.position,
                "recorded": show_time(cycle.recorded_us),
                "decided": cycle.actual.decision,
                "otherwise": cycle.counterfactual.decision,
                "reason_code": cycle.actual.reason_code,
                "otherwise_reason_code": cycle.counterfactual.reason_code,
                "reordered": cycle.actual.reordered,
                "otherwise_reordered": cycle.counterfactual.reordered,
                "z_statistic": cycle.counterfactual.z_statistic,
                "p_value": cycle.counterfactual.p_value,
                "evidence": cycle.counterfactual.evidence,
                "exact": cycle.exact,
            }
            for cycle in one.cycles
            if cycle.differs
        ],
        "swaps": [period._asdict() for period in one.actual_swaps],
        "otherwise_swaps": [period._asdict() for period in one.counterfactual_swaps],
        "time": one.time(one.actual_periods)._asdict(),
        "otherwise_time": one.time(one.counterfactual_periods)._asdict(),
        "parted_position": one.parted_position,
        "exact_until": one.exact_until,
        "unused_games": one.unused_games,
        "scores": {str(version): {"won": t.wins, "played": t.games} for version, t in sorted(one.tallies.items())},
    }
