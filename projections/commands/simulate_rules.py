"""simulate-rules: how often each rule errs, and how long it takes, for your own win rates and traffic."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ledger.evidence import Rule
from projections.commands.cells import counted
from projections.commands.console import json_option, print_json, print_table, progress, remark
from projections.commands.numbers import AlphaType, DecimalType, WholeType
from projections.commands.rule_plots import FALSE_SWAPS, RIGHT_SWAPS, false_swaps, make_folder, right_swaps, write
from projections.decision.estimates import Cycles, quantile, share_by
from projections.decision.rules import KNOWN_RULES
from projections.decision.simulation import Course, Result, Setting, simulate

GAINS = (0.05, 0.10, 0.20)
"""How much better B is where no win rate of B is given."""
EARLY_CYCLES = 100
ALPHAS = ("0.20", "0.05", "0.01")


Column = Callable[[Course], str]


RATE = DecimalType(0, 1)


@click.command("simulate-rules")
@click.option("--win-rate", type=RATE, default=0.5, show_default=True, help="Production's win rate.")
@click.option(
    "--b-win-rate",
    "b_win_rates",
    type=RATE,
    multiple=True,
    help="B's, may repeat; by default 5, 10 and 20 points more. Equal rates are always simulated too.",
)
@click.option("--games", type=WholeType(1, 1_000), default=5, show_default=True, help="Games a cycle.")
@click.option("--cycles", type=WholeType(1, 100_000), default=1_000, show_default=True, help="Cycles a run.")
@click.option("--runs", type=WholeType(10, 1_000_000), default=10_000, show_default=True, help="Runs.")
@click.option(
    "--rule", "names", type=click.Choice(KNOWN_RULES), multiple=True, help="May repeat; by default every rule."
)
@click.option(
    "--alpha", "alphas", type=AlphaType(), multiple=True, help="May repeat; by default 0.20, 0.05 and 0.01."
)
@click.option(
    "--minimum-games",
    type=WholeType(1),
    default=3,
    show_default=True,
    help="Games that each alias needs.",
)
@click.option("--seed", type=WholeType(0), default=1, show_default=True, help="Gives the same games again.")
@click.option(
    "--plot",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Draw both tables into this folder, as PNG and SVG.",
)
@json_option
def simulate_rules(
    win_rate: float,
    b_win_rates: tuple[float, ...],
    games: int,
    cycles: int,
    runs: int,
    names: tuple[str, ...],
    alphas: tuple[str, ...],
    minimum_games: int,
    seed: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Simulate how often each rule swaps by mistake, and how long it takes to swap rightly.

    Needs no ledger. A rule looks after every cycle, and a swap begins a new window, as in the service. What
    follows a value is the simulation's own error: 95 in 100 simulations stay inside.

    Example: rps-audit simulate-rules --win-rate 0.42 --games 12 --alpha 0.05
    """
    rules = [
        Rule(name=name, alpha=alpha, minimum_games=minimum_games, minimum_predictions=0)
        for name in dict.fromkeys(names or KNOWN_RULES)
        for alpha in dict.fromkeys(alphas or ALPHAS)
    ]
    others = b_win_rates or tuple(round(win_rate + gain, 6) for gain in GAINS if win_rate + gain <= 1)
    rates = dict.fromkeys((win_rate, *others))
    if plot is not None:
        make_folder(plot)
    results = []
    with progress("Simulating", len(rates) * cycles * runs) as advance:
        for rate in rates:
            setting = Setting(win_rate, rate, games, cycles, runs, seed)
            results.append(simulate(setting, rules, lambda done: advance(done * runs)))
    if as_json:
        print_json([_record(one) for one in results])
    else:
        for one in results:
            _show(one)
    if plot is not None:
        written = write(plot, {FALSE_SWAPS: false_swaps(results[0]), RIGHT_SWAPS: right_swaps(results[1:])})
        remark(f"drawn: {', '.join(map(str, written))}")


def _show(result: Result) -> None:
    columns = _columns(result.setting)
    rows = [[cell(course) for cell in columns.values()] for course in result.courses]
    print_table(_title(result.setting), list(columns), rows)


def _title(setting: Setting) -> str:
    rates = f"win rate {setting.production_rate:g} of Production and {setting.b_rate:g} of B"
    better = "equally good" if not setting.gain else "B better" if setting.gain > 0 else "B worse"
    return f"{better.capitalize()}: {rates}, {counted(setting.games, 'game')} a cycle"


def _columns(setting: Setting) -> dict[str, Column]:
    """Heading -> what a course shows under it: the mistakes where there is nothing to gain, else the gain."""
    looks = dict.fromkeys((min(EARLY_CYCLES, setting.cycles), setting.cycles))
    columns: dict[str, Column] = {"rule": lambda one: one.rule.name, "alpha": lambda one: one.rule.alpha}
    if setting.gain > 0:
        for look in looks:
            columns[f"right swap by {look:,}"] = _by(lambda one: one.first_right, look)
        columns["half by cycle"] = lambda one: _cycles(quantile(one.first_right, 0.5), setting)
        columns["nine in ten"] = lambda one: _cycles(quantile(one.first_right, 0.9), setting)
        columns["swapped back"] = _by(lambda one: one.first_false, setting.cycles)
    else:
        for look in looks:
            columns[f"false swap by {look:,}"] = _by(lambda one: one.first_false, look)
        columns["false swaps in 100 cycles"] = lambda one: f"{_false_swaps(one, setting):.3f}"
    if setting.gain:
        columns["better is Production"] = lambda one: f"{_best(one, setting):.0%}"
    return columns


def _by(first: Callable[[Course], list[int]], look: int) -> Column:
    def show(course: Course) -> str:
        share = share_by(first(course), look)
        return f"{share.value:.3f} ±{max(share.upper - share.value, share.value - share.lower):.3f}"

    return show


def _cycles(cycles: Cycles, setting: Setting) -> str:
    if cycles.value is None:
        return f"> {setting.cycles:,}"
    upper = "more" if cycles.upper is None else f"{cycles.upper:,}"
    return f"{cycles.value:,} ({cycles.lower:,} to {upper})"


def _false_swaps(course: Course, setting: Setting) -> float:
    return 100 * course.false_swaps / (setting.cycles * setting.runs)


def _best(course: Course, setting: Setting) -> float:
    return course.best_cycles / (setting.cycles * setting.runs)


def _record(result: Result) -> dict[str, Any]:
    setting = result.setting
    looks = list(dict.fromkeys((min(EARLY_CYCLES, setting.cycles), setting.cycles)))
    return {
        **setting._asdict(),
        "rules": [
            {
                "rule": one.rule.name,
                "alpha": one.rule.alpha,
                "minimum_games": one.rule.minimum_games,
                "false_swap": {look: share_by(one.first_false, look)._asdict() for look in looks},
                "right_swap": {look: share_by(one.first_right, look)._asdict() for look in looks},
                "cycles_to_right_swap": {part: quantile(one.first_right, part)._asdict() for part in (0.5, 0.9)},
                "false_swaps_per_100_cycles": _false_swaps(one, setting),
                "swaps_per_100_cycles": 100 * one.swaps / (setting.cycles * setting.runs),
                "share_of_cycles_with_the_better_version": _best(one, setting),
            }
            for one in result.courses
        ],
    }
