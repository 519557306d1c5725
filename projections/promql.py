"""PromQL as text: written from the names of the series, and read for the names in it."""

import re
from typing import NamedTuple

from projections.series import SAMPLE_LABELS

_OPERATORS = frozenset({"and", "or", "unless", "bool", "atan2", "offset", "inf", "nan", "Inf", "NaN"})
_MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"')
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)(?![\w:]|\s*\()\s*(?:\{([^}]*)\})?")
_MADE = re.compile(r'\blabel_(?:join|replace)\s*\(.*?,\s*"(\w+)"', re.DOTALL)


def vector(sample: str, *matchers: str, window: str = "") -> str:
    """A selector such as `rps_games_total{policy="brian"}[5m]` of a series that exists, by labels that it has."""
    assert sample in SAMPLE_LABELS, f"{sample} is no series of the ledger"
    for matcher in matchers:
        matched = _MATCHER.match(matcher)
        assert matched, f"{matcher} is no matcher"
        assert matched[1] in SAMPLE_LABELS[sample], f"{sample} has no label {matched[1]}"
    braces = f"{{{','.join(matchers)}}}" if matchers else ""
    return f"{sample}{braces}{f'[{window}]' if window else ''}"


def grouped(operator: str, labels: str, inner: str) -> str:
    """An aggregation: `sum by (policy) (...)`, or `sum(...)` over no labels."""
    return f"{operator} by ({labels}) ({inner})" if labels else f"{operator}({inner})"


def growth(sample: str, *matchers: str, window: str, by: str) -> str:
    """How much a counter has grown in a window, summed by labels."""
    return grouped("sum", by, f"increase({vector(sample, *matchers, window=window)})")


def share(part: str, whole: str, *matchers: str, window: str, by: str) -> str:
    """How much of one counter's growth is another's; no value, rather than 0, where nothing has happened."""
    grown = [growth(sample, *matchers, window=window, by=by) for sample in (part, whole)]
    return f"{grown[0]} / ({grown[1]} > 0)"


class Names(NamedTuple):
    """What an expression names: metrics with the labels they are selected by, the labels that it groups or joins
    by, and the labels that it makes itself.
    """

    metrics: dict[str, frozenset[str]]
    grouping: frozenset[str]
    made: frozenset[str]


def names(expression: str) -> Names:
    """The names in an expression. Whether it is PromQL at all, only Prometheus can say."""
    made = frozenset(_MADE.findall(expression))
    text = _RANGE.sub("", _TEXT.sub('""', expression))
    grouping = frozenset(word for labels in _GROUPING.findall(text) for word in re.findall(r"\w+", labels))
    metrics: dict[str, set[str]] = {}
    for metric, matchers in _SELECTOR.findall(_GROUPING.sub(" ", text)):
        if metric not in _OPERATORS:
            metrics.setdefault(metric, set()).update(_MATCHER.findall(matchers))
    return Names({metric: frozenset(labels) for metric, labels in metrics.items()}, grouping, made)
