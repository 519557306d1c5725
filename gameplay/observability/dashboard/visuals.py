"""Panels as Grafana stores them, one function for each kind that the dashboard uses."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gameplay.observability.site import PROMETHEUS_UID

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": PROMETHEUS_UID}
TRANSPARENT = "transparent"


class Place(NamedTuple):
    x: int
    y: int
    w: int
    h: int


class About(NamedTuple):
    """What a panel is for: its number and title, the question that it answers, what to do when it looks wrong."""

    id: int
    title: str
    asks: str
    wrong: str

    @property
    def description(self) -> str:
        return f"{self.asks}\n\nWhen it looks wrong: {self.wrong}"


def query(
    expression: str, legend: str = "__auto", *, ref: str = "A", instant: bool = False, interval: str = ""
) -> Json:
    """A Prometheus query; `interval` is the smallest step, and so the smallest rate interval."""
    target: Json = {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expression,
        "instant": instant,
        "legendFormat": legend,
        "range": not instant,
        "refId": ref,
    }
    return target | ({"interval": interval} if interval else {})


def steps(*points: tuple[float | None, str]) -> Json:
    """Thresholds: from each value on, its colour; the first value is None, the bottom."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in points]}


def lines(*values: float, color: str = "red") -> Json:
    """Thresholds that show as lines at these values."""
    return steps((None, TRANSPARENT), *((value, color) for value in values))


def override(matcher: str, name: str, properties: Mapping[str, Any]) -> Json:
    """Properties of one field, matched by `byName` or, for all that a query returns, by `byFrameRefID`."""
    return {
        "matcher": {"id": matcher, "options": name},
        "properties": [{"id": property_, "value": value} for property_, value in properties.items()],
    }


def right_axis(ref: str, label: str, more: Mapping[str, Any]) -> Json:
    """A query's own axis, with its unit, bounds and thresholds: apart from each other they are drawn wrong."""
    return override("byFrameRefID", ref, {"custom.axisPlacement": "right", "custom.axisLabel": label, **more})


def reaching(ref: str, *, low: float | None = None, high: float) -> Json:
    """An axis that shows at least so much: Grafana fits it to the data alone, and lines beyond would be off it."""
    bounds = {"custom.axisSoftMin": low, "custom.axisSoftMax": high}
    return override("byFrameRefID", ref, {name: value for name, value in bounds.items() if value is not None})


def time_series(
    about: About,
    place: Place,
    targets: Sequence[Json],
    *,
    defaults: Mapping[str, Any] | None = None,
    custom: Mapping[str, Any] | None = None,
    overrides: Sequence[Json] = (),
    time_from: str = "",
) -> Json:
    """Lines over time; `time_from` sets the panel's own range."""
    drawing: Json = {
        "axisLabel": "",
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 0,
        "lineInterpolation": "linear",
        "lineWidth": 2,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "none"},
        "thresholdsStyle": {"mode": "off"},
        **(custom or {}),
    }
    options = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    config = _fields({"color": {"mode": "palette-classic"}, "custom": drawing, **(defaults or {})}, overrides)
    panel = _panel("timeseries", about, place, targets, config, options)
    return panel | ({"timeFrom": time_from} if time_from else {})


def stat(
    about: About, place: Place, targets: Sequence[Json], *, defaults: Mapping[str, Any] | None = None
) -> Json:
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value_and_name",
        "wideLayout": True,
    }
    config = _fields({"color": {"mode": "thresholds"}, **(defaults or {})}, ())
    return _panel("stat", about, place, targets, config, options)


def bar_gauge(
    about: About, place: Place, targets: Sequence[Json], *, colors: Mapping[str, str], decimals: int = 0
) -> Json:
    """A bar for each series, in a colour of its own by name."""
    fixed = [
        override("byName", name, {"color": {"fixedColor": color, "mode": "fixed"}})
        for name, color in colors.items()
    ]
    options = {
        "displayMode": "gradient",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    defaults = {"color": {"mode": "palette-classic"}, "decimals": decimals, "min": 0, "unit": "short"}
    return _panel("bargauge", about, place, targets, _fields(defaults, fixed), options)


def table(
    about: About,
    place: Place,
    targets: Sequence[Json],
    *,
    datasource: Json,
    sort_by: str,
    overrides: Sequence[Json],
) -> Json:
    """Rows, the greatest `sort_by` first."""
    options = {
        "cellHeight": "sm",
        "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
        "showHeader": True,
        "sortBy": [{"desc": True, "displayName": sort_by}],
    }
    defaults = {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}}
    panel = _panel("table", about, place, targets, _fields(defaults, overrides), options)
    return panel | {"datasource": datasource}


def row(id_: int, title: str, y: int) -> Json:
    grid = {"h": 1, "w": 24, "x": 0, "y": y}
    return {"collapsed": False, "gridPos": grid, "id": id_, "panels": [], "title": title, "type": "row"}


def _fields(defaults: Mapping[str, Any], overrides: Sequence[Json]) -> Json:
    plain = {"mappings": [], "thresholds": steps((None, "green"))}
    return {"defaults": {**plain, **defaults}, "overrides": list(overrides)}


def _panel(
    kind: str, about: About, place: Place, targets: Sequence[Json], config: Json, options: Mapping[str, Any]
) -> Json:
    return {
        "datasource": PROMETHEUS,
        "description": about.description,
        "fieldConfig": config,
        "gridPos": {"h": place.h, "w": place.w, "x": place.x, "y": place.y},
        "id": about.id,
        "options": options,
        "targets": list(targets),
        "title": about.title,
        "type": kind,
    }
