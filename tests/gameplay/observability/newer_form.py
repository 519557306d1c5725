"""Dashboards as Grafana 13 exports them: elements, and a layout that places them."""

import copy
from typing import Any

from gameplay.observability.dashboard.parts import top_level

Dashboard = dict[str, Any]

GRAFANA_VERSION = "13.2.2"
TOOLTIPS = ("Off", "Crosshair", "Tooltip")
REFRESHED = ("never", "onDashboardLoad", "onTimeRangeChanged")
SORTED = ("disabled", "alphabeticalAsc", "alphabeticalDesc")
INTERVALS = ["5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d"]
OF_THE_PANEL = ("timeFrom", "timeShift", "interval", "maxDataPoints")
OF_THE_ANNOTATION = {"builtIn", "datasource", "enable", "hide", "iconColor", "name", "target", "filter"}


def resource(spec: Dashboard) -> Dashboard:
    """With what the API puts around it, which an export has too."""
    metadata = {"name": "adn7pn6", "generation": 4, "annotations": {"grafana.app/folder": "rps"}}
    return {"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": metadata, "spec": spec}


def newer(dashboard: Dashboard) -> Dashboard:
    """A classic dashboard of headings and panels, as Grafana converts it when it is saved."""
    dashboard = copy.deepcopy(dashboard)
    rows: list[Dashboard] = []
    elements = {}
    for panel in top_level(dashboard):
        if panel["type"] == "row":
            rows.append(section(panel["title"], []))
            begin = panel["gridPos"]["y"] + 1
            continue
        name = f"panel-{panel['id']}"
        elements[name] = element(panel)
        grid = panel["gridPos"]
        rows[-1]["spec"]["layout"]["spec"]["items"].append(
            item(name, x=grid["x"], y=grid["y"] - begin, width=grid["w"], height=grid["h"])
        )
    return {
        "annotations": [annotation(one) for one in dashboard["annotations"]["list"]],
        "cursorSync": TOOLTIPS[dashboard["graphTooltip"]],
        "description": dashboard["description"],
        "editable": True,
        "elements": elements,
        "layout": {"kind": "RowsLayout", "spec": {"rows": rows}},
        "links": dashboard["links"],
        "liveNow": False,
        "preferences": {"layout": {"kind": "GridLayout", "spec": {"items": []}}},
        "preload": False,
        "tags": dashboard["tags"],
        "timeSettings": {
            "autoRefresh": dashboard["refresh"],
            "autoRefreshIntervals": INTERVALS,
            "fiscalYearStartMonth": 0,
            "from": dashboard["time"]["from"],
            "hideTimepicker": False,
            "timezone": dashboard["timezone"],
            "to": dashboard["time"]["to"],
        },
        "title": dashboard["title"],
        "variables": [variable(one) for one in dashboard["templating"]["list"]],
    }


def section(title: str, items: list[Dashboard], kind: str = "RowsLayoutRow", **more: Any) -> Dashboard:
    spec = {"title": title, "collapse": False, "layout": {"kind": "GridLayout", "spec": {"items": items}}}
    return {"kind": kind, "spec": spec | more}


def item(name: str, **place: int) -> Dashboard:
    return {"kind": "GridLayoutItem", "spec": {**place, "element": {"kind": "ElementReference", "name": name}}}


def element(panel: Dashboard) -> Dashboard:
    queries = [
        {
            "kind": "PanelQuery",
            "spec": {"hidden": False, "query": data_query(target), "refId": target["refId"]},
        }
        for target in panel["targets"]
    ]
    options = {name: panel[name] for name in OF_THE_PANEL if name in panel}
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    steps[0]["value"] = 0  # where the classic form has null
    visual = {"fieldConfig": panel["fieldConfig"], "options": panel["options"]}
    group = {"queries": queries, "queryOptions": options, "transformations": []}
    spec = {
        "data": {"kind": "QueryGroup", "spec": group},
        "description": panel["description"],
        "id": panel["id"],
        "links": [],
        "title": panel["title"],
        "vizConfig": {"group": panel["type"], "kind": "VizConfig", "spec": visual, "version": GRAFANA_VERSION},
    }
    return {"kind": "Panel", "spec": spec}


def data_query(target: Dashboard) -> Dashboard:
    source = target["datasource"]
    spec = {name: value for name, value in target.items() if name not in ("datasource", "refId")}
    return {
        "datasource": {"name": source["uid"]},
        "group": source["type"],
        "kind": "DataQuery",
        "spec": spec,
        "version": "v0",
    }


def annotation(one: Dashboard) -> Dashboard:
    query = data_query({"datasource": one["datasource"]}) | {"spec": one.get("target", {})}
    spec = {name: one[name] for name in ("enable", "hide", "iconColor", "name")}
    spec |= {"builtIn": True} if "builtIn" in one else {}
    legacy = {name: value for name, value in one.items() if name not in OF_THE_ANNOTATION}
    spec |= {"legacyOptions": legacy} if legacy else {}
    return {"kind": "AnnotationQuery", "spec": {**spec, "query": query}}


def variable(one: Dashboard) -> Dashboard:
    spec = {name: value for name, value in one.items() if name not in ("datasource", "type")}
    spec |= {"allowCustomValue": True, "hide": "dontHide"}
    if one["type"] == "custom":
        return {"kind": "CustomVariable", "spec": spec | {"valuesFormat": "csv"}}
    if one["type"] == "textbox":
        spec = {name: value for name, value in one.items() if name not in ("options", "type")}
        return {"kind": "TextVariable", "spec": spec | {"hide": "dontHide"}}
    source = one["datasource"]
    query = {
        "datasource": {"name": source["uid"]},
        "group": source["type"],
        "kind": "DataQuery",
        "spec": one["query"],
        "version": "v0",
    }
    words = {"refresh": REFRESHED[one["refresh"]], "sort": SORTED[one["sort"]], "regexApplyTo": "value"}
    return {"kind": "QueryVariable", "spec": {**spec, **words, "query": query}}
