"""The board for other data sources, and for a manual import: each made of the board, adopted ones too."""

import copy
from collections.abc import Iterator

from projections.dashboard.history_targets import JSON_API, TRANSLATIONS, datasource
from projections.dashboard.visuals import Json
from projections.site import LEDGER_UID, PROMETHEUS_UID

INPUTS = {
    PROMETHEUS_UID: (
        "DS_PROMETHEUS",
        "Prometheus",
        "prometheus",
        "Where the metrics are: grafanacloud-ml-metrics.",
    ),
    LEDGER_UID: ("DS_LEDGER", "JSON API", JSON_API, "The service's promotion history: rps-promotion-ledger."),
}


def translated(board: Json, plugin: str) -> Json:
    """The board with every JSON API query put into another plugin's words."""
    varied = copy.deepcopy(board)
    translate = TRANSLATIONS[plugin]
    for panel in panels(varied):
        if _is_json_api(panel):
            panel["datasource"] = datasource(plugin)
        panel["targets"] = [
            translate(target) if _is_json_api(target) else target for target in panel.get("targets", [])
        ]
    for annotation in annotations(varied):
        if _is_json_api(annotation):
            annotation["datasource"] = datasource(plugin)
            annotation["target"] = translate(annotation["target"])
    return varied


def importable(board: Json) -> Json:
    """The board that asks for its data sources. Provisioned, it would look for sources by these very names."""
    varied = copy.deepcopy(board)
    for reference in references(varied):
        if reference["uid"] in INPUTS:
            reference["uid"] = f"${{{INPUTS[reference['uid']][0]}}}"
    inputs = [
        {
            "description": about,
            "label": label,
            "name": name,
            "pluginId": plugin,
            "pluginName": label,
            "type": "datasource",
        }
        for name, label, plugin, about in INPUTS.values()
    ]
    requires = [
        {"id": plugin, "name": label, "type": "datasource", "version": ""}
        for _, label, plugin, _ in INPUTS.values()
    ]
    return {"__inputs": inputs, "__requires": requires, **varied}


def panels(board: Json) -> Iterator[Json]:
    """Every panel that shows something, those in closed rows too."""
    for panel in board.get("panels", []):
        if panel.get("type") == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def annotations(board: Json) -> list[Json]:
    """Every annotation query."""
    found: list[Json] = board.get("annotations", {}).get("list", [])
    return found


def variables(board: Json) -> list[Json]:
    """Every variable."""
    found: list[Json] = board.get("templating", {}).get("list", [])
    return found


def references(board: Json) -> Iterator[Json]:
    """Every reference to a data source, as the board's own dict."""
    for panel in panels(board):
        for holder in (panel, *panel.get("targets", [])):
            yield from _reference(holder)
    for holder in (*annotations(board), *variables(board)):
        yield from _reference(holder)
        yield from _reference(holder.get("target", {}))


def _reference(holder: Json) -> Iterator[Json]:
    reference = holder.get("datasource")
    if isinstance(reference, dict) and "uid" in reference:
        yield reference


def _is_json_api(holder: Json) -> bool:
    return any(reference.get("type") == JSON_API for reference in _reference(holder))
