"""The parts of a dashboard. A part that Grafana left out or wrote as null counts as absent."""

import re
from collections.abc import Iterator

from gameplay.observability.dashboard.visuals import Json

_LABEL_VALUES = re.compile(r"label_values\(\s*(.+?)\s*,\s*(\w+)\s*\)\s*\Z", re.DOTALL)


def panels(dashboard: Json) -> Iterator[Json]:
    """Every panel that shows something, those in closed rows too."""
    for panel in top_level(dashboard):
        if panel.get("type") == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def rows(dashboard: Json) -> list[Json]:
    return [panel for panel in top_level(dashboard) if panel.get("type") == "row"]


def top_level(dashboard: Json) -> list[Json]:
    """What is on the grid now: rows, and the panels that are in no closed row."""
    found: list[Json] = dashboard.get("panels") or []
    return found


def targets(panel: Json) -> list[Json]:
    found: list[Json] = panel.get("targets") or []
    return found


def annotations(dashboard: Json) -> list[Json]:
    return _listed(dashboard, "annotations")


def variables(dashboard: Json) -> list[Json]:
    return _listed(dashboard, "templating")


def _listed(dashboard: Json, name: str) -> list[Json]:
    found: list[Json] = (dashboard.get(name) or {}).get("list") or []
    return found


def queries(dashboard: Json) -> Iterator[tuple[str, Json, str]]:
    """(where, query, type of its data source) of every panel's queries and every annotation."""
    for panel in panels(dashboard):
        for target in targets(panel):
            where = f"panel {panel.get('id')}, query {target.get('refId')}"
            yield where, target, source_type(target) or source_type(panel)
    for annotation in annotations(dashboard):
        # Prometheus' query stands in the annotation itself, or in its target where a newer Grafana has saved it.
        query = annotation | {"target": None} | (annotation.get("target") or {})
        yield f"annotation {annotation.get('name')}", query, source_type(annotation)


def source_type(holder: Json) -> str:
    """The type of the data source that a part names; empty where it names none."""
    source = holder.get("datasource")
    return (source.get("type") or "") if isinstance(source, dict) else ""


def expressions(dashboard: Json) -> Iterator[tuple[str, str, str]]:
    """(where, PromQL, legend) of every query of Prometheus, those of variables too."""
    for where, query, source in queries(dashboard):
        if source == "prometheus" or "expr" in query:
            yield where, query.get("expr") or "", query.get("legendFormat") or query.get("titleFormat") or ""
    for variable in variables(dashboard):
        asked = variable.get("query")
        text = asked.get("query") if isinstance(asked, dict) else asked
        if isinstance(text, str) and (found := _LABEL_VALUES.match(text)):
            yield f"variable {variable.get('name')}", found[1], f"{{{{{found[2]}}}}}"


def references(dashboard: Json) -> Iterator[Json]:
    """Every reference to a data source, as the dashboard's own dict."""
    for panel in panels(dashboard):
        for holder in (panel, *targets(panel)):
            yield from _reference(holder)
    for holder in (*annotations(dashboard), *variables(dashboard)):
        yield from _reference(holder)
        yield from _reference(holder.get("target") or {})


def _reference(holder: Json) -> Iterator[Json]:
    reference = holder.get("datasource")
    if isinstance(reference, dict) and reference.get("uid"):
        yield reference
