"""The two pictures of a simulation. The only room that imports matplotlib."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ledger.files import problem_of
from projections.commands.outputs import OutputError, new_file
from projections.decision.estimates import share_by
from projections.decision.rules import ANYTIME_SIGN
from projections.decision.simulation import Course, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS_MAX = 60
"""Of a curve: they lie closer than the line is wide, and a picture stays small."""
COLOURS = ("tab:blue", "tab:orange")
LINES = ("-", "--", ":", "-.")
FALSE_SWAPS, RIGHT_SWAPS = "false-swaps", "right-swaps"
"""The pictures' names."""
ENDINGS = ("png", "svg")


def false_swaps(result: Result) -> "Figure":
    """How the chance of at least one false swap climbs from cycle to cycle."""
    figure = _figure(1)
    axes = figure.subplots()
    _draw(axes, result, [course.first_false for course in result.courses])
    axes.set_ylabel("runs with at least one false swap")
    figure.legend(loc="outside right center", frameon=False)
    return figure


def right_swaps(results: Sequence[Result]) -> "Figure":
    """The share of runs with a better B that have swapped it in, from cycle to cycle; one field a win rate."""
    better = [result for result in results if result.setting.gain > 0]
    figure = _figure(max(len(better), 1))
    fields = list(figure.subplots(1, len(better), sharey=True, squeeze=False)[0]) if better else []
    for axes, result in zip(fields, better, strict=True):
        _draw(axes, result, [course.first_right for course in result.courses])
    if fields:
        fields[0].set_ylabel("runs with the right swap")
        handles, labels = fields[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def make_folder(folder: Path) -> None:
    """Make the folder. Raises OutputError where `write` would, before a long simulation was for nothing."""
    for path in _paths(folder, (FALSE_SWAPS, RIGHT_SWAPS)):
        if path.exists():
            raise OutputError(f"{path} exists already: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass  # only a file that is there shows that there can be one
    except OSError as error:
        raise OutputError(f"cannot write into the folder {folder}: {problem_of(error)}") from error


def write(folder: Path, pictures: Mapping[str, "Figure"]) -> list[Path]:
    """Write each picture as PNG and as SVG under its name; returns the files. Raises OutputError."""
    paths = _paths(folder, pictures)
    for path in paths:
        with new_file(path) as file:
            file.write((_svg if path.suffix == ".svg" else _png)(pictures[path.stem]))
    return paths


def _paths(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / f"{name}.{ending}" for name in names for ending in ENDINGS]


def _figure(fields: int) -> "Figure":
    # Without pyplot, which keeps every figure in a global list.
    from matplotlib.figure import Figure

    return Figure(figsize=(2 + 4.6 * fields, 3.4), layout="constrained")


def _title(result: Result) -> str:
    setting = result.setting
    return f"Production wins {setting.production_rate:.0%}, B {setting.b_rate:.0%}; {setting.games} games a cycle"


def _draw(axes: "Axes", result: Result, firsts: Sequence[list[int]]) -> None:
    looks = _looks(result.setting.cycles)
    alphas = list(dict.fromkeys(course.rule.alpha for course in result.courses))
    for course, first in zip(result.courses, firsts, strict=True):
        shares = [share_by(first, look).value for look in looks]
        axes.plot(looks, shares, label=_label(course), **_line(course, alphas))
    axes.set(xscale="log", xlabel="by cycle", ylim=(0, 1.02), title=_title(result))
    axes.set_xticks(ticks := _ticks(result.setting.cycles), [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _looks(cycles: int) -> list[int]:
    return sorted({round(cycles ** (point / POINTS_MAX)) for point in range(POINTS_MAX + 1)})


def _ticks(cycles: int) -> list[int]:
    """Powers of ten."""
    return [10**power for power in range(len(str(cycles)))]


def _label(course: Course) -> str:
    return f"{course.rule.name}, alpha {course.rule.alpha}"


def _line(course: Course, alphas: Sequence[str]) -> dict[str, Any]:
    """A colour for each rule, a kind of line for each alpha."""
    colour = COLOURS[course.rule.name == ANYTIME_SIGN]
    return {"color": colour, "linestyle": LINES[alphas.index(course.rule.alpha) % len(LINES)]}


def _png(figure: "Figure") -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _svg(figure: "Figure") -> bytes:
    """Text stays text, and the same simulation gives the same bytes."""
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rules"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()
