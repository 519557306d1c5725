from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from projections.commands.rule_plots import false_swaps, right_swaps
from projections.decision.rules import ANYTIME_SIGN, Z_TEST
from projections.decision.simulation import Course, Result, Setting
from tests.builders import rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RULES = ((Z_TEST, "0.20"), (Z_TEST, "0.05"), (ANYTIME_SIGN, "0.20"))
LINES = [
    ("ztest/1, alpha 0.20", "tab:blue", "-"),
    ("ztest/1, alpha 0.05", "tab:blue", "--"),
    ("anytime-sign/1, alpha 0.20", "tab:orange", "-"),
]


def result(b_rate: float, false: Sequence[int], right: Sequence[int]) -> Result:
    """Every rule swaps at the same cycles."""
    setting = Setting(0.5, b_rate, games=5, cycles=100, runs=len(false), seed=1)
    courses = [
        Course(rule(name=name, alpha=alpha), [*false], [*right], false_swaps=0, swaps=0, best_cycles=0)
        for name, alpha in RULES
    ]
    return Result(setting, courses)


EQUAL = result(0.5, false=[3, 0, 100, 0], right=[0, 0, 0, 0])
BETTER, MUCH_BETTER = (result(rate, false=[0, 0], right=right) for rate, right in ((0.6, [0, 9]), (0.75, [1, 1])))


def fields(figure: "Figure") -> list[dict[str, Any]]:
    """What a reader sees in each field of a picture."""
    return [
        {
            "title": axes.get_title(),
            "across": (axes.get_xlabel(), axes.get_xscale(), [tick.get_text() for tick in axes.get_xticklabels()]),
            "up": (axes.get_ylabel(), axes.get_ylim()),
            "lines": [(one.get_label(), one.get_color(), one.get_linestyle()) for one in axes.get_lines()],
        }
        for axes in figure.axes
    ]


def curve(figure: "Figure", field: int = 0) -> dict[int, float]:
    """The first line of a field: cycle -> share."""
    line = figure.axes[field].get_lines()[0]
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))  # type: ignore[arg-type]


def field(title: str, up: str) -> dict[str, Any]:
    return {
        "title": title,
        "across": ("by cycle", "log", ["1", "10", "100"]),
        "up": (up, (0, 1.02)),
        "lines": LINES,
    }


def test_false_swaps_are_a_line_a_rule() -> None:
    figure = false_swaps(EQUAL)

    title = "Production wins 50%, B 50%; 5 games a cycle"
    assert fields(figure) == [field(title, "runs with at least one false swap")]
    shares = curve(figure)
    assert (shares[1], shares[2], shares[3], shares[93], shares[100]) == (0, 0, 0.25, 0.25, 0.5)


def test_right_swaps_have_a_field_for_each_better_b() -> None:
    figure = right_swaps([BETTER, EQUAL, MUCH_BETTER])

    titles = [f"Production wins 50%, B {rate}; 5 games a cycle" for rate in ("60%", "75%")]
    assert fields(figure) == [field(titles[0], "runs with the right swap"), field(titles[1], "")]
    assert [curve(figure, 0)[at] for at in (1, 9, 100)] == [0, 0.5, 0.5]
    assert set(curve(figure, 1).values()) == {1}


def test_where_no_b_is_better_the_picture_is_empty() -> None:
    assert fields(right_swaps([EQUAL])) == []


def test_a_picture_has_one_legend_beside_its_fields() -> None:
    for figure in (false_swaps(EQUAL), right_swaps([BETTER, MUCH_BETTER])):
        (legend,) = figure.legends

        assert [text.get_text() for text in legend.get_texts()] == [label for label, _, _ in LINES]
        assert not legend.get_frame_on()
        assert legend._outside_loc == "right"  # type: ignore[attr-defined]
