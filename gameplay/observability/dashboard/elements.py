"""Dashboards in Grafana's newer form (v2: elements, and a layout that places them), put into the classic one."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from gameplay.observability.dashboard.document import SCHEMA_VERSION
from gameplay.observability.dashboard.resource import (
    Annotation,
    Dashboard,
    DataQuery,
    Item,
    Kind,
    Layout,
    Panel,
    PanelQuery,
    QueryGroup,
    Section,
    Source,
    TimeSettings,
    Variable,
)
from gameplay.observability.dashboard.visuals import Json
from ledger.decoders import convert

GRID_COLUMNS: Final = 24
HEADING_HEIGHT: Final = 1
# Pixels of a row of an automatic grid, by its mode, and of a row of the classic grid.
_AUTO_HEIGHTS: Final = {"short": 168, "standard": 320, "tall": 512}
_GRID_PIXELS: Final = 38
_AUTO_COLUMNS: Final = 3

_TOOLTIPS: Final = {"Off": 0, "Crosshair": 1, "Tooltip": 2}
_HIDDEN: Final = {"dontHide": 0, "hideLabel": 1, "hideVariable": 2, "inControlsMenu": 3}
_REFRESHED: Final = {"never": 0, "onDashboardLoad": 1, "onTimeRangeChanged": 2}
_SORTED: Final = {
    order: number
    for number, order in enumerate(
        (
            "disabled",
            "alphabeticalAsc",
            "alphabeticalDesc",
            "numericalAsc",
            "numericalDesc",
            "alphabeticalCaseInsensitiveAsc",
            "alphabeticalCaseInsensitiveDesc",
            "naturalAsc",
            "naturalDesc",
        )
    )
}
_VARIABLE_TYPES: Final = {
    "QueryVariable": "query",
    "CustomVariable": "custom",
    "TextVariable": "textbox",
    "ConstantVariable": "constant",
    "DatasourceVariable": "datasource",
    "IntervalVariable": "interval",
    "GroupByVariable": "groupby",
    "AdhocVariable": "adhoc",
    "SwitchVariable": "switch",
}
# What Grafana offers in the refresh picker unless asked for something else; the classic form leaves it out.
_REFRESH_INTERVALS: Final = ["5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d"]
_STRING_QUERY: Final = "__legacyStringValue"

Meant = TypeVar("Meant")


class ElementsError(ValueError):
    """A dashboard that the classic form cannot express; the text says what to take away."""


def has_elements(dashboard: Json) -> bool:
    return "elements" in dashboard


def classic(dashboard: Json) -> Json:
    """A dashboard of the newer form in the classic one. Raises ElementsError."""
    try:
        read = convert(dashboard, Dashboard)
        placed = [*_sections(read, read.layout, 0)]
        listed = {
            "annotations": [*map(_annotation, read.annotations)],
            "templating": [*map(_variable, read.variables)],
        }
    except msgspec.ValidationError as error:
        raise ElementsError(f"it is not made as Grafana makes them: {error}") from error
    _number(placed)
    times = read.timeSettings
    return {
        **{name: {"list": values} for name, values in listed.items()},
        **({"description": read.description} if read.description else {}),
        "editable": read.editable,
        "fiscalYearStartMonth": times.fiscalYearStartMonth,
        "graphTooltip": _word(_TOOLTIPS, read.cursorSync),
        "links": read.links,
        **({"liveNow": True} if read.liveNow else {}),
        "panels": placed,
        "refresh": times.autoRefresh,
        "schemaVersion": SCHEMA_VERSION,
        "tags": read.tags,
        "time": {"from": times.begin, "to": times.end},
        "timepicker": _timepicker(times),
        "timezone": times.timezone,
        "title": read.title,
        "weekStart": times.weekStart,
    }


def _sections(dashboard: Dashboard, layout: Kind[Layout], y: int) -> Iterator[Json]:
    """Panels and headings from line `y` of the grid on: rows and tabs, however deep, come one below the other."""
    match layout.kind:
        case "GridLayout":
            for item in layout.spec.items:
                yield _placed(dashboard, item.spec, y + item.spec.y)
        case "AutoGridLayout":
            yield from _automatic(dashboard, layout.spec, y)
        case "RowsLayout" | "TabsLayout":
            for section in (*layout.spec.rows, *layout.spec.tabs):
                for panel in _section(dashboard, section.spec, y):
                    y = max(y, _bottom(panel))
                    yield panel
        case other:
            raise ElementsError(f"its layout is a {other}, which is none that Grafana had when this was written")


def _section(dashboard: Dashboard, section: Section, y: int) -> Iterator[Json]:
    _refuse_conditions(f"the section {section.title!r}", section.conditionalRendering)
    if section.variables:
        raise ElementsError(f"the section {section.title!r} has variables of its own; make them the dashboard's")
    if section.hideHeader:
        yield from _sections(dashboard, section.layout, y)
        return
    inside = [*_sections(dashboard, section.layout, y + HEADING_HEIGHT)]
    closed = section.collapse and not any(panel["type"] == "row" for panel in inside)
    yield {
        "collapsed": closed,
        "gridPos": {"h": HEADING_HEIGHT, "w": GRID_COLUMNS, "x": 0, "y": y},
        "panels": inside if closed else [],
        **({"repeat": section.repeat.get("value")} if section.repeat else {}),
        "title": section.title,
        "type": "row",
    }
    if not closed:
        yield from inside


def _bottom(panel: Json) -> int:
    """The first line of the grid below a panel. What is in a closed row takes no place."""
    place = panel["gridPos"]
    return int(place["y"] + place["h"])


def _automatic(dashboard: Dashboard, layout: Layout, y: int) -> Iterator[Json]:
    columns = max(1, min(layout.maxColumnCount or _AUTO_COLUMNS, GRID_COLUMNS))
    pixels = layout.rowHeight or _AUTO_HEIGHTS.get(layout.rowHeightMode, _AUTO_HEIGHTS["standard"])
    width, height = GRID_COLUMNS // columns, max(1, round(pixels / _GRID_PIXELS))
    for index, item in enumerate(layout.items):
        line, column = divmod(index, columns)
        item.spec.x, item.spec.width, item.spec.height = column * width, width, height
        yield _placed(dashboard, item.spec, y + line * height)


def _placed(dashboard: Dashboard, item: Item, y: int) -> Json:
    name = item.element.name
    if name not in dashboard.elements:
        raise ElementsError(f"its layout names the element {name!r}, which is not there")
    _refuse_conditions(f"the panel {name!r}", item.conditionalRendering)
    element = dashboard.elements[name]
    if element.kind != "Panel":
        raise ElementsError(f"{name!r} is a {element.kind}: unlink it, since other Grafanas do not have it")
    grid = {"h": item.height, "w": item.width, "x": item.x, "y": y}
    return {**_panel(convert(element.spec, Panel)), "gridPos": grid, **_repeated(item.repeat)}


def _refuse_conditions(what: str, rendering: Json | None) -> None:
    """The classic form cannot hide a panel at times: it would always be shown."""
    match rendering:
        case {"spec": {"items": [_, *_]}}:
            raise ElementsError(f"{what} is shown under conditions only, which the classic form does not have")


def _repeated(repeat: Json | None) -> Json:
    if not repeat:
        return {}
    found = {"repeat": repeat.get("value"), "maxPerRow": repeat.get("maxPerRow")}
    return {name: value for name, value in (found | {"repeatDirection": repeat.get("direction")}).items() if value}


def _panel(panel: Panel) -> Json:
    data = panel.data.spec if panel.data else QueryGroup([])
    targets = [_target(query.spec) for query in data.queries]
    visual = panel.vizConfig
    found: Json = {
        "datasource": _common([target["datasource"] for target in targets]),
        "description": panel.description,
        "fieldConfig": _fields(visual.spec.fieldConfig) if visual else {},
        "id": panel.id,
        "links": panel.links,
        "options": visual.spec.options if visual else {},
        "subtitle": panel.subtitle,
        "targets": targets,
        "title": panel.title,
        "transformations": [_transformation(one) for one in data.transformations],
        "transparent": panel.transparent,
        "type": visual.plugin if visual else "",
        **data.queryOptions,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {}, False)}


def _target(query: PanelQuery) -> Json:
    source = _source(query.query, query.datasource)
    hidden = {"hide": True} if query.hidden else {}
    return {**query.query.spec, "datasource": source, "refId": query.refId, **hidden}


def _source(query: DataQuery | Variable, draft: Source | None = None) -> Json:
    """A reference by type and uid. An export for sharing has no uid: the plugin's name takes its place."""
    named = query.datasource or draft or Source()
    plugin = query.plugin if query.plugin != "DataQuery" else named.type or ""
    own = "-- Grafana --" if plugin == "grafana" else plugin
    return {"type": plugin, "uid": named.name or named.uid or own}


def _common(sources: list[Json]) -> Json | None:
    if not sources:
        return None
    alike = all(source == sources[0] for source in sources)
    return sources[0] if alike else {"type": "datasource", "uid": "-- Mixed --"}


def _fields(config: Json) -> Json:
    """The lowest threshold has no value of its own: the newer form writes 0 for it."""
    holders = [config.get("defaults"), *(config.get("overrides") or [])]
    while holders:
        match holders.pop():
            case {"thresholds": {"steps": [dict() as lowest, *_]}} | {
                "id": "thresholds",
                "value": {"steps": [dict() as lowest, *_]},
            }:
                lowest["value"] = None
            case {"properties": [*properties]}:
                holders += properties
    return config


def _transformation(one: Kind[Json]) -> Json:
    return {"id": one.plugin, **{name: value for name, value in one.spec.items() if value is not None}}


def _annotation(one: Kind[Annotation]) -> Json:
    spec = one.spec
    query = spec.query or DataQuery("DataQuery", {}, "grafana")
    found: Json = {
        "datasource": _source(query, spec.datasource),
        "enable": spec.enable,
        "filter": spec.filter,
        "hide": spec.hide,
        "iconColor": spec.iconColor,
        "mappings": spec.mappings,
        "name": spec.name,
        "target": query.spec or None,
        **({"builtIn": 1, "type": "dashboard"} if spec.builtIn else {}),
        **spec.legacyOptions,
    }
    return {name: value for name, value in found.items() if value is not None}


def _variable(one: Variable) -> Json:
    spec = dict(one.spec)
    numbers: Mapping[str, Mapping[str, int]] = {"hide": _HIDDEN, "refresh": _REFRESHED, "sort": _SORTED}
    for name, words in numbers.items():
        if name in spec:
            spec[name] = _word(words, spec[name])
    if one.kind == "QueryVariable":
        query = convert(spec.get("query"), DataQuery)
        spec["datasource"] = _source(query, convert(spec.get("datasource"), Source | None))
        spec["query"] = query.spec.get(_STRING_QUERY, query.spec)
    elif one.group is not None:
        spec["datasource"] = _source(one)
    if one.kind == "DatasourceVariable":
        spec["query"] = spec.pop("pluginId", "")
    return {**spec, "type": _word(_VARIABLE_TYPES, one.kind)}


def _word(words: Mapping[str, Meant], word: Any) -> Meant:
    if word not in words:
        raise ElementsError(f"it says {word!r} where Grafana's schema has one of {', '.join(words)}")
    return words[word]


def _timepicker(times: TimeSettings) -> Json:
    usual = times.autoRefreshIntervals in ([], _REFRESH_INTERVALS)
    found = {
        "hidden": times.hideTimepicker,
        "nowDelay": times.nowDelay,
        "quick_ranges": times.quickRanges,
        "refresh_intervals": [] if usual else times.autoRefreshIntervals,
    }
    return {name: value for name, value in found.items() if value}


def _number(placed: list[Json]) -> None:
    """Give each heading the smallest free number, in order: the newer form has none for them."""
    inner = [panel for heading in placed for panel in heading.get("panels", [])]
    taken = {panel["id"] for panel in (*placed, *inner) if "id" in panel}
    free = (number for number in range(1, len(placed) + len(taken) + 1) if number not in taken)
    for heading in (panel for panel in placed if panel["type"] == "row"):
        heading["id"] = next(free)
