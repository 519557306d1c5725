"""Ratios of two things measured side by side: `python -m bench`, or the rows whose name begins with a WORD."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import (
    append,
    audits,
    cluster,
    cross_family,
    metrics,
    million,
    models,
    move_parts,
    play,
    postgresql,
    replay,
    report,
    rivals,
)
from bench.scenario import LeftOutError, Outcome
from projections.commands.console import messages, output

SCENARIOS: Mapping[str, Callable[[Path], Outcome]] = {
    "append": append.scenario,
    **rivals.SCENARIOS,
    **metrics.SCENARIOS,
    **models.SCENARIOS,
    **play.SCENARIOS,
    **move_parts.SCENARIOS,
    **report.SCENARIOS,
    **cross_family.SCENARIOS,
    **replay.SCENARIOS,
    **audits.SCENARIOS,
    **million.SCENARIOS,
    **postgresql.SCENARIOS,
    **cluster.SCENARIOS,
}


def measured(name: str, folder: Path) -> Outcome | LeftOutError:
    """A row, or why it cannot be measured here."""
    try:
        return SCENARIOS[name](folder)
    except LeftOutError as left_out:
        return left_out


@click.command()
@click.argument("words", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each row.")
@click.option("--list", "only_list", is_flag=True, help="Print the names of the rows, and measure nothing.")
def main(words: tuple[str, ...], as_json: bool, only_list: bool) -> None:
    """Measure every row, or those whose name begins with a WORD. The status is 1 where a target is missed.

    Example: python -m bench play- replay
    """
    chosen = [name for name in SCENARIOS if not words or name.startswith(words)]
    if only_list or not chosen:
        click.echo("\n".join(chosen or SCENARIOS))
        sys.exit(0 if chosen else 2)
    rows: dict[str, Outcome | LeftOutError] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="rps-bench-") as folder:
            _measure(chosen, Path(folder), rows)
    finally:
        # A row that fails ends the run, and takes nothing from those before it.
        _print(rows, as_json=as_json)
    sys.exit(0 if all(isinstance(row, LeftOutError) or row.met for row in rows.values()) else 1)


def _measure(names: list[str], folder: Path, rows: dict[str, Outcome | LeftOutError]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=messages) as bars:
        bar = bars.add_task("", total=len(names))
        for name in names:
            bars.update(bar, description=name)
            began = time.monotonic()
            rows[name] = row = measured(name, folder)
            ratio = "left out" if isinstance(row, LeftOutError) else f"{row.ratio:.2f}"
            bars.console.print(f"{name}: {ratio}, {time.monotonic() - began:,.0f} s", highlight=False)
            bars.advance(bar)


def _print(rows: Mapping[str, Outcome | LeftOutError], *, as_json: bool) -> None:
    if as_json:
        for name, row in rows.items():
            click.echo(json.dumps({"row": name, **_plain(row)}))
    else:
        output().print(_table(rows))


def _plain(row: Outcome | LeftOutError) -> dict[str, object]:
    return {"left_out": str(row)} if isinstance(row, LeftOutError) else {**row._asdict(), "met": row.met}


def _table(rows: Mapping[str, Outcome | LeftOutError]) -> Table:
    table = Table(title="Ratios, medians of five pairs and more; every scenario has checked its own result")
    table.add_column("what")
    for heading in ("measured", "against", "ratio", "lowest..highest", "target", "met"):
        table.add_column(heading, justify="right")
    for name, row in rows.items():
        if isinstance(row, LeftOutError):
            table.add_row(name, f"left out: {row}")
            continue
        low, high = row.spread
        target = row.wanted if row.target is None else f"{row.wanted} {row.target}"
        met = "" if row.target is None else "yes" if row.met else "NO"
        figures = (row.subject, row.reference, f"{row.ratio:.2f}", f"{low:.2f}..{high:.2f}", target, met)
        table.add_row(row.name, *figures)
    return table


if __name__ == "__main__":
    main()
