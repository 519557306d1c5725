"""What the parts of a dashboard lack: Grafana shows such a part empty, or with the data of another source."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from gameplay.observability.dashboard.document import PANEL_IDS
from gameplay.observability.dashboard.history_targets import PLUGINS
from gameplay.observability.dashboard.parts import annotations, expressions, panels, targets, variables
from gameplay.observability.dashboard.visuals import Json

WITHOUT_QUERIES: Final = frozenset(
    {"alertlist", "annolist", "dashlist", "gettingstarted", "news", "text", "welcome"}
)
"""Panels that ask no data source."""
OF_EVERY_PANEL: Final = ("type", "title", "gridPos")
OF_OUR_PANELS: Final = ("description", "fieldConfig", "options")
MIXED: Final = "-- Mixed --"

_USED = re.compile(r"\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))")


def gaps(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        where = f"panel {panel.get('id')}"
        yield from (f"{where} {gap}" for gap in _panel(panel))
    for annotation in annotations(dashboard):
        yield from (f"annotation {annotation.get('name')} {gap}" for gap in _annotation(annotation))
    for variable in variables(dashboard):
        yield from (f"variable {variable.get('name')} {gap}" for gap in _variable(variable))
    yield from _unknown_variables(dashboard)


def _panel(panel: Json) -> Iterator[str]:
    ours = panel.get("id") in PANEL_IDS
    for name in (*OF_EVERY_PANEL, *(OF_OUR_PANELS if ours else ())):
        if not panel.get(name):
            yield f"has no {name}"
    grid = panel.get("gridPos") or {}
    yield from (f"has no {side} in its gridPos" for side in "xywh" if grid and grid.get(side) is None)
    if panel.get("type") in WITHOUT_QUERIES and not ours:
        return
    if not targets(panel):
        yield "has no queries"
    names = Counter(target.get("refId") for target in targets(panel))
    yield from (f"has {count} queries {name}" for name, count in names.items() if name and count > 1)
    for target in targets(panel):
        yield from (f"has a query {target.get('refId')} that {gap}" for gap in _target(target, panel))


def _target(target: Json, panel: Json) -> Iterator[str]:
    if not target.get("refId"):
        yield "has no refId"
    source = target.get("datasource") or panel.get("datasource")
    yield from _source(source)
    if isinstance(source, dict) and source.get("uid") == MIXED:
        yield "names no data source of its own, though its panel mixes several"
    if isinstance(source, dict) and source.get("type") in ("prometheus", *PLUGINS):
        return  # what these are asked is read by the rules for expressions and for the history
    if not target.keys() - {"refId", "datasource", "hide"}:
        yield "asks for nothing"


def _source(source: Json | str | None) -> Iterator[str]:
    """Without a uid Grafana asks its default source; without a type the lint cannot tell how."""
    if not source:
        yield "names no data source"
    elif isinstance(source, str):
        yield f"names its data source by the title {source!r}, not by its uid"
    else:
        yield from (f"names no {part} of its data source" for part in ("uid", "type") if not source.get(part))


def _annotation(annotation: Json) -> Iterator[str]:
    if not annotation.get("name"):
        yield "has no name"
    yield from _source(annotation.get("datasource"))
    if not annotation.get("builtIn") and not (annotation.get("expr") or annotation.get("target")):
        yield "asks for nothing"


def _variable(variable: Json) -> Iterator[str]:
    yield from (f"has no {name}" for name in ("name", "type") if not variable.get(name))
    asked = variable.get("query")
    if variable.get("type") == "query":
        yield from _source(variable.get("datasource"))
        asked = asked.get("query") or asked.get("expr") if isinstance(asked, dict) else asked
    if variable.get("type") in ("query", "custom", "interval", "datasource") and not asked:
        yield "has no query"


def _unknown_variables(dashboard: Json) -> Iterator[str]:
    """An unknown variable stays in the query as it is written, and Prometheus refuses the query."""
    known = {variable.get("name") for variable in variables(dashboard)}
    texts = [(where, f"{expression} {legend}") for where, expression, legend in expressions(dashboard)]
    texts += [(f"panel {panel.get('id')}", panel.get("title") or "") for panel in panels(dashboard)]
    for where, text in texts:
        used = {name for pair in _USED.findall(text) for name in pair if name and not name.startswith("__")}
        yield from (f"{where}: there is no variable ${name}" for name in sorted(used - known))
