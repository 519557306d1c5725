"""How a service and its commands grow with the ledger: `python -m bench.growth FOLDER`.

    python -m bench.growth docs/images

Writes growth.png and growth.svg there, and prints the figures. Each point is a service over a ledger of that size.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.table import Table

from bench.folders import grown_folder
from bench.million import ask_history, have_snapshot, start
from bench.process import Served
from bench.scenario import seconds
from bench.servers import play, service
from projections.commands.console import output, track

SIZES = (30_000, 100_000, 300_000, 1_000_000)
"""The smallest has as many decisions as a page of the history shows."""
ROUNDS = 250
RUNS = 5
REQUESTS = 60
MIB = 1 << 20


class Point(NamedTuple):
    """A ledger's size in events, and what was measured over it."""

    events: int
    play_ms: float
    history_ms: float
    restart_ms: float
    memory_mib: float
    file_mib: float


PANELS: Sequence[tuple[str, Sequence[str], str]] = (
    ("Latency", ("play_ms", "history_ms"), "ms, median"),
    ("Restart, with a snapshot", ("restart_ms",), "ms, median"),
    ("Memory of the service", ("memory_mib",), "MiB"),
    ("Database file", ("file_mib",), "MiB"),
)
LABELS = {
    "play_ms": "/play, 8 clients",
    "history_ms": "history?limit=20",
    "restart_ms": "restart",
    "memory_mib": "memory",
    "file_mib": "file",
}


def measure(folder: Path, events: int) -> Point:
    """One point; its folder is made where it is not there."""
    data = grown_folder(folder, events)
    head = have_snapshot(data)
    restarts = statistics.median(seconds(lambda: start(data, head)) for _ in range(RUNS))
    with service(data) as served:
        play(served, ROUNDS)  # what is made at the first move is not measured
        plays = statistics.median(play(served, ROUNDS).median_seconds for _ in range(RUNS))
        pages = statistics.median(_page_seconds(served) for _ in range(RUNS))
        memory = served.memory_bytes()
    file_bytes = (data / "ledger.db").stat().st_size
    return Point(head, plays * 1_000, pages * 1_000, restarts * 1_000, memory / MIB, file_bytes / MIB)


def _page_seconds(served: Served) -> float:
    return seconds(lambda: ask_history(served, REQUESTS)) / REQUESTS


def draw(points: Sequence[Point], folder: Path) -> list[Path]:
    """Write the figure as PNG and as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 6), layout="constrained")
        for axes, (title, names, unit) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            _draw_panel(axes, points, names)
            axes.set(title=title, ylabel=unit, xlabel="events in the ledger", xscale="log")
            if names == ("file_mib",):
                axes.set_yscale("log")  # it grows in proportion, which is a straight line so
            else:
                axes.set_ylim(0, None)
        written = [folder / "growth.png", folder / "growth.svg"]
        for path in written:
            figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
    return written


def _draw_panel(axes: Any, points: Sequence[Point], names: Sequence[str]) -> None:
    for name in names:
        axes.plot([one.events for one in points], [getattr(one, name) for one in points], "o-", label=LABELS[name])
    axes.grid(alpha=0.3)
    if len(names) > 1:
        axes.legend()


def _table(points: Sequence[Point]) -> Table:
    table = Table("events", *(LABELS[name] for name in Point._fields[1:]))
    for one in points:
        table.add_row(f"{one.events:,}", *(f"{value:,.1f}" for value in one[1:]))
    return table


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--sizes", multiple=True, type=int, default=SIZES, show_default=True, help="In events; may repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each size.")
def main(folder: Path, sizes: tuple[int, ...], as_json: bool) -> None:
    """Measure a service over ledgers of several sizes, and draw it.

    Example: python -m bench.growth docs/images
    """
    with tempfile.TemporaryDirectory(prefix="rps-bench-") as made:
        steps = track(sorted(sizes), "Measuring", len(sizes))
        points = [measure(Path(made), events) for events in steps]
    draw(points, folder)
    if as_json:
        for point in points:
            sys.stdout.write(json.dumps(point._asdict()) + "\n")
    else:
        output().print(_table(points))


if __name__ == "__main__":
    main()
