"""What a board must keep, whoever wrote it: each finding says where and what, so that a board can be mended."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator

from ledger.schema import promotion_history
from projections.dashboard.board import PANEL_IDS
from projections.dashboard.history_targets import INFINITY, JSON_API, columns_of
from projections.dashboard.variants import annotations, panels, references, variables
from projections.dashboard.visuals import Json
from projections.history_row import TITLES, render
from projections.promql import names
from projections.series import SAMPLE_LABELS
from projections.site import DASHBOARD_UID, DATASOURCE_UIDS, HISTORY_PATH

GRID_COLUMNS = 24
SCRAPE_LABELS = frozenset({"job", "instance"})
"""Labels that a scrape adds to every series."""

_LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_LABEL_VALUES = re.compile(r"label_values\(\s*(.+?)\s*,\s*(\w+)\s*\)\Z")


def row_keys() -> frozenset[str]:
    """The keys of a history row."""
    blank = dict.fromkeys(column.name for column in promotion_history.columns)
    known = {
        "recorded_us": 0,
        "model_type": "",
        "decision": next(iter(TITLES)),
        "detail": b'{"alias_rankings":[]}',
    }
    return frozenset(render({**blank, **known}))


def findings(board: Json, keys: Collection[str]) -> list[str]:
    """What is wrong with a board; `keys` are those of a history row."""
    return [
        *_identity(board),
        *_grid(board),
        *_datasources(board),
        *(
            finding
            for where, expression, legend in expressions(board)
            for finding in _promql(where, expression, legend)
        ),
        *_columns(board, keys),
    ]


def expressions(board: Json) -> Iterator[tuple[str, str, str]]:
    """(where, PromQL, legend) of every query of Prometheus."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            if "expr" in target:
                yield f"panel {panel.get('id')}, query {target.get('refId')}", target["expr"], _legend(target)
    for annotation in annotations(board):
        if "expr" in annotation:
            yield f"annotation {annotation.get('name')}", annotation["expr"], annotation.get("titleFormat", "")


def _legend(target: Json) -> str:
    legend: str = target.get("legendFormat", "")
    return legend


def _identity(board: Json) -> Iterator[str]:
    if board.get("uid") != DASHBOARD_UID:
        yield f"the board's uid is {board.get('uid')!r}: links and alerts know it as {DASHBOARD_UID}"
    ids = Counter(panel.get("id") for panel in [*panels(board), *_rows(board)])
    yield from (f"panel id {id_} is there {count} times" for id_, count in ids.items() if count > 1)
    yield from (f"panel {id_} is missing: alerts and render links name it" for id_ in PANEL_IDS if id_ not in ids)


def _rows(board: Json) -> list[Json]:
    return [panel for panel in board.get("panels", []) if panel.get("type") == "row"]


def _grid(board: Json) -> Iterator[str]:
    # Only what is on the grid now: the panels of a closed row are placed when it is opened.
    taken: dict[tuple[int, int], int] = {}
    for panel in board.get("panels", []):
        grid = panel.get("gridPos", {})
        x, y, w, h = (grid.get(side, 0) for side in "xywh")
        if not (w >= 1 and h >= 1 and x >= 0 and x + w <= GRID_COLUMNS and y >= 0):
            yield f"panel {panel.get('id')} does not fit the grid of {GRID_COLUMNS} columns: {grid}"
            continue
        cells = itertools.product(range(x, x + w), range(y, y + h))
        others = {taken.setdefault(cell, panel["id"]) for cell in cells} - {panel["id"]}
        yield from (f"panel {panel['id']} overlaps panel {other}" for other in sorted(others))


def _datasources(board: Json) -> Iterator[str]:
    unknown = {reference["uid"] for reference in references(board)} - DATASOURCE_UIDS
    yield from (
        f"data source uid {uid!r} is not among {', '.join(sorted(DATASOURCE_UIDS))}" for uid in sorted(unknown)
    )
    for variable in variables(board):
        query = variable.get("query")
        text = query.get("query", "") if isinstance(query, dict) else ""
        if matched := _LABEL_VALUES.match(text):
            yield from _promql(f"variable {variable.get('name')}", matched[1], f"{{{{{matched[2]}}}}}")


def _promql(where: str, expression: str, legend: str) -> Iterator[str]:
    named = names(expression)
    yield from (f"{where}: there is no series {metric}" for metric in named.metrics if metric not in SAMPLE_LABELS)
    labels = {metric: {*SAMPLE_LABELS.get(metric, ()), *SCRAPE_LABELS} for metric in named.metrics}
    for metric, matched in named.metrics.items():
        yield from (f"{where}: {metric} has no label {label}" for label in sorted(matched - labels[metric]))
    known = named.made.union(*labels.values())
    yield from (
        f"{where}: groups by {label}, which no series in it has" for label in sorted(named.grouping - known)
    )
    shown = set(_LEGEND_LABEL.findall(legend))
    left = named.grouping or known
    yield from (f"{where}: the legend shows {label}, which is not left" for label in sorted(shown - left))


def _columns(board: Json, keys: Collection[str]) -> Iterator[str]:
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield from _history(f"panel {panel.get('id')}", target, keys)
    for annotation in annotations(board):
        yield from _history(f"annotation {annotation.get('name')}", annotation.get("target", {}), keys)


def _history(where: str, target: Json, keys: Collection[str]) -> Iterator[str]:
    kind = target.get("datasource", {}).get("type")
    if kind == JSON_API:
        path = target.get("urlPath", "")
        try:
            named = [column.key for column in columns_of(target)]
        except ValueError as error:
            yield f"{where}: {error}"
            return
    elif kind == INFINITY:
        path, named = target.get("url", ""), [column["selector"] for column in target.get("columns", [])]
    else:
        return
    if path.partition("?")[0] != HISTORY_PATH:
        yield f"{where}: the path is {path!r}; the plugins want {HISTORY_PATH}, without a host"
    yield from (f"{where}: a history row has no key {key}" for key in named if key not in keys)
