"""The dashboard for other data sources and for a manual import, made of the generated or the adopted one."""

import copy

from gameplay.observability.dashboard.history_targets import (
    INFINITY,
    JSON_API,
    PLUGINS,
    SIMPOD,
    datasource,
    read,
    write,
)
from gameplay.observability.dashboard.parts import annotations, panels, references, source_type, targets
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.site import LEDGER_UID, PROMETHEUS_UID

PLUGIN_NAMES = {JSON_API: "JSON API", INFINITY: "Infinity", SIMPOD: "JSON"}


def plugin_of(dashboard: Json) -> str:
    types = (reference.get("type") for reference in references(dashboard))
    return next((plugin for plugin in types if plugin in PLUGINS), JSON_API)


def translated(dashboard: Json, plugin: str) -> Json:
    """The dashboard with every query of the ledger in a plugin's words, unless it is written for that plugin."""
    varied = copy.deepcopy(dashboard)
    for panel in panels(varied):
        for target in targets(panel):
            _put(target, source_type(target) or source_type(panel), plugin)
        _move(panel, plugin)
    for annotation in annotations(varied):
        _put(annotation.get("target") or {}, source_type(annotation), plugin)
        _move(annotation, plugin)
    return varied


def _put(target: Json, source: str, plugin: str) -> None:
    if source in PLUGINS and source != plugin:
        query = read(source, target)
        target.clear()
        target.update(write(plugin, query))


def _move(holder: Json, plugin: str) -> None:
    if source_type(holder) in PLUGINS:
        holder["datasource"] = datasource(plugin)


def importable(dashboard: Json) -> Json:
    """The dashboard that asks for its data sources. Provisioned, it would look for sources by these very names."""
    varied = copy.deepcopy(dashboard)
    plugin = plugin_of(dashboard)
    asked = {
        PROMETHEUS_UID: ("DS_PROMETHEUS", "Prometheus", "prometheus", "Where the metrics are"),
        LEDGER_UID: ("DS_LEDGER", PLUGIN_NAMES[plugin], plugin, "The service's promotion history"),
    }
    for reference in references(varied):
        if reference["uid"] in asked:
            reference["uid"] = f"${{{asked[reference['uid']][0]}}}"
    inputs = [
        {
            "description": f"{about}: {uid}.",
            "label": label,
            "name": name,
            "pluginId": id_,
            "pluginName": label,
            "type": "datasource",
        }
        for uid, (name, label, id_, about) in asked.items()
    ]
    requires = [
        {"id": id_, "name": label, "type": "datasource", "version": ""} for _, label, id_, _ in asked.values()
    ]
    return {"__inputs": inputs, "__requires": requires, **varied}
