"""PromQL as text: written from the names of the series, and read for the names in it."""

import re
from typing import NamedTuple

from gameplay.observability.process_series import BESIDE_THE_LEDGER, SCRAPE_LABELS
from projections.metrics.series import SAMPLE_LABELS

_OPERATORS = frozenset(
    {"and", "or", "unless", "bool", "atan2", "offset", "inf", "nan", "group_left", "group_right"}
)
_AGGREGATIONS = "sum|min|max|avg|count|group|stddev|stdvar|quantile"
_STRING = r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` """
_TEXT = re.compile(_STRING, re.VERBOSE)
_TEXT_OR_COMMENT = re.compile(rf"{_STRING} | \#[^\n]*", re.VERBOSE)
_VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")
_LABEL = re.compile(r"(?<![\w$])\w+")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_BRACES = re.compile(rf"(?<![\w.$])([A-Za-z_:][\w:]*)\s*\{{((?:[^{{}}\"'`]|{_STRING})*)\}}", re.VERBOSE)
_MATCHED = re.compile(rf"(\w+)\s*(=~|=)\s*({_STRING})", re.VERBOSE)
_RANGE = re.compile(r"\[[^\]]*\]")
# Keywords are written in either case; functions and names are not.
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", re.IGNORECASE)
_NAMING = frozenset({"by", "on", "group_left", "group_right"})
_SELECTOR = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)(?![\w:]|\s*\()\s*(?:\{([^}]*)\})?")
_MADE = re.compile(r"""\b(?:label_(?:join|replace)\s*\(.*?,|count_values\b.*?\()\s*["'](\w+)["']""", re.DOTALL)
_OUTERMOST = re.compile(rf"(?:{_AGGREGATIONS})\s*(?:(by|without)\s*\(([^)]*)\)\s*)?\(", re.IGNORECASE)
_BEHIND = re.compile(r"\s*(by|without)\s*\(([^)]*)\)", re.IGNORECASE)
_JOIN = re.compile(r"\b(?:or|on|ignoring)\b", re.IGNORECASE)


def vector(sample: str, *matchers: str, window: str = "") -> str:
    """A selector such as `rps_games_total{policy="brian"}[5m]` of a series that exists, by labels that it has."""
    known = SAMPLE_LABELS.get(sample, BESIDE_THE_LEDGER.get(sample))
    assert known is not None, f"{sample} is no series that is scraped"
    for matcher in matchers:
        matched = _MATCHER.match(matcher)
        assert matched, f"{matcher} is no matcher"
        assert matched[1] in {*known, *SCRAPE_LABELS}, f"{sample} has no label {matched[1]}"
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
    by, and the labels that it makes itself. Labels that it drops are in none of them.
    """

    metrics: dict[str, frozenset[str]]
    grouping: frozenset[str]
    made: frozenset[str]


def names(expression: str) -> Names:
    """The names in an expression. Whether it is PromQL at all, only Prometheus can say."""
    text = _plain(expression)
    made = frozenset(_MADE.findall(text))
    text = _RANGE.sub("", _TEXT.sub('""', text))
    groupings = (labels for keyword, labels in _GROUPING.findall(text) if keyword.lower() in _NAMING)
    grouping = frozenset(word for labels in groupings for word in _LABEL.findall(labels))
    metrics: dict[str, set[str]] = {}
    for metric, matchers in _SELECTOR.findall(_GROUPING.sub(" ", text)):
        if metric.lower() not in _OPERATORS:
            metrics.setdefault(metric, set()).update(_MATCHER.findall(matchers))
    return Names({metric: frozenset(labels) for metric, labels in metrics.items()}, grouping, made)


class Matcher(NamedTuple):
    """A demand on a label, by `=` or by `=~`."""

    metric: str
    label: str
    operator: str
    value: str

    def allows(self, value: str) -> bool:
        """Whether a label with this value fits. A variable of Grafana's stands for any value."""
        if "$" in self.value:
            return True
        return value == self.value if self.operator == "=" else re.fullmatch(self.value, value) is not None


def matchers(expression: str) -> list[Matcher]:
    """What an expression demands of labels; demands that exclude values are left out."""
    return [
        Matcher(metric, label, operator, value[1:-1])
        for metric, braces in _BRACES.findall(_plain(expression))
        for label, operator, value in _MATCHED.findall(braces)
    ]


def labels_left(expression: str) -> frozenset[str] | None:
    """The labels of the result where an aggregation over named labels, or over none, comes last.

    None where it does not, and where something is joined to it: what is left then depends on the series.
    """
    text = _TEXT.sub('""', _plain(expression)).strip()
    begun = _OUTERMOST.match(text)
    if begun is None:
        return None
    rest = text[_closing(text, begun.end()) :]
    keyword, labels = begun[1], begun[2]
    if keyword is None and (behind := _BEHIND.match(rest)):
        keyword, labels = behind[1], behind[2]
        rest = rest[behind.end() :]
    labels = labels or ""
    if (keyword or "by").lower() == "without" or "$" in labels or _JOIN.search(rest):
        return None
    return frozenset(_LABEL.findall(labels))


def _plain(expression: str) -> str:
    """Without comments, and with Grafana's variables in their short form."""
    said = _TEXT_OR_COMMENT.sub(lambda found: "" if found[0].startswith("#") else found[0], expression)
    return _VARIABLE.sub(r"$\1", said)


def _closing(text: str, begin: int) -> int:
    """Where the parenthesis that was opened before `begin` has been closed."""
    depth = 1
    for at in range(begin, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1
    return len(text)
