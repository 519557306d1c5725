"""Dashboards that people edited in Grafana and exported: what they changed, and how to take it over."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from gameplay.observability.dashboard.document import TITLE
from gameplay.observability.dashboard.elements import ElementsError, classic, has_elements
from gameplay.observability.dashboard.history_targets import INFINITY, JSON_API, SIMPOD
from gameplay.observability.dashboard.parts import panels, references, rows
from gameplay.observability.dashboard.shape import fault
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.site import DASHBOARD_UID, LEDGER_UID, PROMETHEUS_UID

ADOPTED = "adopted"
"""The tag of an adopted dashboard: it is linted, and no longer compared with the generator."""

UID_OF_TYPE = {
    "prometheus": PROMETHEUS_UID,
    JSON_API: LEDGER_UID,
    INFINITY: LEDGER_UID,
    SIMPOD: LEDGER_UID,
}

_DROPPED = ("__inputs", "__requires", "__elements", "version", "iteration", "gnetId")
# What Grafana writes into every panel that it saves, unasked.
_SAVED_DEFAULTS: Mapping[str, Any] = {
    "allowCustomValue": True,
    "axisColorMode": "text",
    "barAlignment": 0,
    "barWidthFactor": 0.6,
    "editorMode": "code",
    "fillOpacity": 0,
    "fiscalYearStartMonth": 0,
    "gradientMode": "none",
    "hide": 0,
    "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
    "maxVizHeight": 300,
    "percentChangeColorMode": "standard",
    "pointSize": 5,
    "regexApplyTo": "value",
    "scaleDistribution": {"type": "linear"},
    "sort": 0,
    "textMode": "auto",
    "valuesFormat": "csv",
}
_MISSING = object()


class NoDashboardError(ValueError):
    """A file that is no dashboard, or one that cannot be taken over; the text says why."""


def is_adopted(dashboard: Json) -> bool:
    tags = dashboard.get("tags")
    return isinstance(tags, list) and ADOPTED in tags


def normalized(exported: Json) -> Json:
    """An exported dashboard under our uid, with our data sources, and without what belongs to one Grafana alone.

    Raises NoDashboardError.
    """
    dashboard = _unwrapped(copy.deepcopy(exported))
    for name in _DROPPED:
        dashboard.pop(name, None)
    for panel in panels(dashboard):
        panel.pop("pluginVersion", None)
    for reference in references(dashboard):
        reference["uid"] = UID_OF_TYPE.get(reference.get("type", ""), reference["uid"])
    title = (dashboard.get("title") or TITLE).removesuffix(" Copy")
    return dashboard | {"id": None, "title": title, "uid": DASHBOARD_UID}


def adopted(exported: Json) -> Json:
    """The normalised dashboard, marked. Raises NoDashboardError."""
    dashboard = normalized(exported)
    tags = [*(dashboard.get("tags") or []), *([] if is_adopted(dashboard) else [ADOPTED])]
    return dashboard | {"tags": tags}


def changes(ours: Json, theirs: Json) -> list[str]:
    """What another dashboard has otherwise than ours, panel by panel; what Grafana writes unasked is left out."""
    before, after = _by_id(ours), _by_id(theirs)
    found = [_named(panel, "removed") for id_, panel in before.items() if id_ not in after]
    found += [_named(panel, "added") for id_, panel in after.items() if id_ not in before]
    for id_ in before.keys() & after.keys():
        found += [_named(before[id_], change) for change in _differences("", before[id_], after[id_])]
    rest = [{name: value for name, value in dashboard.items() if name != "panels"} for dashboard in (ours, theirs)]
    return [*sorted(found), *(f"dashboard: {change}" for change in _differences("", *rest))]


def _unwrapped(exported: Json) -> Json:
    """The dashboard itself, out of what the API or `kubectl` put around it."""
    inner = exported.get("dashboard", exported.get("spec", exported))
    if not isinstance(inner, dict):
        raise NoDashboardError("it holds no dashboard")
    if has_elements(inner):
        try:
            inner = classic(inner)
        except ElementsError as error:
            raise NoDashboardError(str(error)) from error
    if not isinstance(inner.get("panels"), list):
        raise NoDashboardError("it has no panels")
    if misshapen := fault(inner):
        raise NoDashboardError(misshapen)
    return inner


def _by_id(dashboard: Json) -> dict[Any, Json]:
    """Panels and rows by their id, or by their title where they have none."""
    bare = [{name: value for name, value in row.items() if name != "panels"} for row in rows(dashboard)]
    return {panel.get("id") or panel.get("title"): panel for panel in [*panels(dashboard), *bare]}


def _named(panel: Json, change: str) -> str:
    return f"panel {panel.get('id')} ({panel.get('title', '')}): {change}"


def _differences(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            inner = f"{path}.{name}" if path else name
            given = theirs.get(name, _MISSING)
            if name in ours:
                yield from _differences(inner, ours[name], given)
            elif not _is_default(name, given):
                yield f"{inner} is new: {_shown(given)}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(f"{path}[{index}]", mine, other)
    elif theirs is _MISSING:
        if not _is_default(path.rpartition(".")[2], ours):
            yield f"{path} is gone: {_shown(ours)}"
    elif ours != theirs:
        yield f"{path}: {_shown(ours)} -> {_shown(theirs)}"


def _is_default(name: str, value: Any) -> bool:
    """Whether Grafana writes or leaves out a value unasked. A 0 it does not: as an axis' minimum it was chosen."""
    if name in _SAVED_DEFAULTS and value == _SAVED_DEFAULTS[name]:
        return True
    if isinstance(value, dict):
        return all(_is_default(inner, given) for inner, given in value.items())
    return value is None or value is False or value in ("", [])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
