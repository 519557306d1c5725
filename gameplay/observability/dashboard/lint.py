"""What every dashboard must keep, and what its parts must have. Each finding says where and what to fix."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import combinations

from gameplay.observability.dashboard.document import PANEL_IDS
from gameplay.observability.dashboard.gaps import gaps
from gameplay.observability.dashboard.history_targets import JSON_API, PLUGINS, read
from gameplay.observability.dashboard.parts import expressions, panels, queries, references, rows, top_level
from gameplay.observability.dashboard.shape import fault
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.process_series import CLOSED_VALUES, SCRAPE_LABELS, STORED_LABELS
from gameplay.observability.promql import labels_left, matchers, names
from gameplay.observability.site import DASHBOARD_UID, DATASOURCE_UIDS, HISTORY_PATH, LEDGER_UID, TOTALS_PATH
from ledger.vocabulary import DECISIONS
from projections.read_models.history_row import KEYS

GRID_COLUMNS = 24
TOTALS_KEYS = frozenset({"model", "period_start", "period_end", *DECISIONS, "total_events"})

_LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def row_keys() -> frozenset[str]:
    """The keys of a history row."""
    return frozenset(KEYS)


def findings(dashboard: Json, keys: Collection[str]) -> list[str]:
    """What is wrong with a dashboard; `keys` are those of a history row."""
    if misshapen := fault(dashboard):
        return [misshapen]
    return [
        *_identity(dashboard),
        *gaps(dashboard),
        *_grid(dashboard),
        *_datasources(dashboard),
        *_expressions(dashboard),
        *_histories(dashboard, keys),
    ]


def _identity(dashboard: Json) -> Iterator[str]:
    if dashboard.get("uid") != DASHBOARD_UID:
        yield f"the dashboard's uid is {dashboard.get('uid')!r}: links and alerts know it as {DASHBOARD_UID}"
    all_panels = [*panels(dashboard), *rows(dashboard)]
    yield from (f"the panel {panel.get('title')!r} has no id" for panel in all_panels if panel.get("id") is None)
    ids = Counter(panel["id"] for panel in all_panels if panel.get("id") is not None)
    yield from (f"panel id {id_} is there {count} times" for id_, count in ids.items() if count > 1)
    yield from (f"panel {id_} is missing: alerts and render links name it" for id_ in PANEL_IDS if id_ not in ids)


def _grid(dashboard: Json) -> Iterator[str]:
    placed = []
    for panel in top_level(dashboard):
        grid = panel.get("gridPos") or {}
        x, y, w, h = (grid.get(side, 0) for side in "xywh")
        if w > 0 and h > 0 and x >= 0 and x + w <= GRID_COLUMNS and y >= 0:
            placed.append((panel.get("id"), x, y, x + w, y + h))
        else:
            yield f"panel {panel.get('id')} does not fit the grid of {GRID_COLUMNS} columns: {grid}"
    for (one, left, top, right, bottom), (two, x, y, x_end, y_end) in combinations(placed, 2):
        if left < x_end and x < right and top < y_end and y < bottom:
            yield f"panel {two} overlaps panel {one}"


def _datasources(dashboard: Json) -> Iterator[str]:
    named = {(reference["uid"], reference.get("type") or "") for reference in references(dashboard)}
    for uid in sorted({uid for uid, _ in named} - DATASOURCE_UIDS):
        yield f"data source uid {uid!r} is not among {', '.join(sorted(DATASOURCE_UIDS))}"
    plugins = sorted({plugin for uid, plugin in named if uid == LEDGER_UID})
    for plugin in plugins:
        if plugin not in PLUGINS:
            yield f"the ledger's data source has the type {plugin!r}; it needs one of {', '.join(PLUGINS)}"
    if len(plugins) > 1:
        yield f"the ledger's data source is one, and has the types {', '.join(plugins)}"


def _expressions(dashboard: Json) -> Iterator[str]:
    for where, expression, legend in expressions(dashboard):
        if expression.strip():
            yield from (f"{where}: {finding}" for finding in _promql(expression, legend))
        else:
            yield f"{where}: it asks for nothing"


def _promql(expression: str, legend: str) -> Iterator[str]:
    named = names(expression)
    if unknown := [metric for metric in named.metrics if metric not in STORED_LABELS]:
        yield from (f"there is no series {metric}" for metric in unknown)
        return
    labels = {metric: {*STORED_LABELS[metric], *SCRAPE_LABELS} for metric in named.metrics}
    for metric, matched in named.metrics.items():
        yield from (f"{metric} has no label {label}" for label in sorted(matched - labels[metric]))
    for one in matchers(expression):
        values = CLOSED_VALUES.get(one.metric, {}).get(one.label)
        if values and not any(map(one.allows, values)):
            yield f"{one.metric} has no {one.label} {one.value!r}: it has {', '.join(values)}"
    known = named.made.union(SCRAPE_LABELS, *labels.values())
    yield from (f"groups by {label}, which no series in it has" for label in sorted(named.grouping - known))
    left = labels_left(expression)
    shown = set(_LEGEND_LABEL.findall(legend)) - (known | named.grouping if left is None else left)
    yield from (f"the legend shows {label}, which is not left" for label in sorted(shown))


def _histories(dashboard: Json, keys: Collection[str]) -> Iterator[str]:
    known = {HISTORY_PATH: keys, TOTALS_PATH: TOTALS_KEYS}
    for where, target, plugin in queries(dashboard):
        if plugin in PLUGINS:
            yield from (f"{where}: {finding}" for finding in _history(target, plugin, known))


def _history(target: Json, plugin: str, known: dict[str, Collection[str]]) -> Iterator[str]:
    cached = target.get("cacheDurationSeconds")
    if plugin == JSON_API and cached != 0:
        yield f"cacheDurationSeconds is {cached}, not 0: the plugin would go on showing old rows"
    try:
        query = read(plugin, target)
    except ValueError as error:
        yield str(error)
        return
    if query.path not in known:
        yield f"the path is {query.path!r}; the plugins want {' or '.join(known)}, without a host"
        return
    missing = [column.key for column in query.columns if column.key not in known[query.path]]
    yield from (f"a row of {query.path} has no key {key}" for key in missing)
