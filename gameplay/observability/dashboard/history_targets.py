"""Queries of the promotion history in the words of three plugins, any of which can be put into another's."""

import re
from collections.abc import Callable, Mapping
from typing import Final, get_args
from urllib.parse import parse_qsl

from gameplay.observability.dashboard.history_query import (
    LEDGER_COLUMNS,
    SWAP_COLUMNS,
    SWAPS,
    TOTALS_COLUMNS,
    Column,
    ColumnType,
    HistoryQuery,
)
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.site import LEDGER_UID, TOTALS_PATH

JSON_API: Final = "marcusolsson-json-datasource"
INFINITY: Final = "yesoreyeram-infinity-datasource"
SIMPOD: Final = "simpod-json-datasource"

_JSON_PATH = re.compile(r"\$\[\*\]\.(\w+)\Z")
_JSON_API_TYPES: Final[dict[str, ColumnType]] = {name: name for name in get_args(ColumnType)}
_INFINITY_TYPES: Final[dict[str, ColumnType]] = {
    "timestamp": "time",
    "timestamp_epoch": "time",
    "timestamp_epoch_s": "time",
    "number": "number",
    "string": "string",
    "boolean": "boolean",
}
_INFINITY_MACROS: Final = {"$__isoFrom()": "${__timeFrom:date:iso}", "$__isoTo()": "${__timeTo:date:iso}"}
_JSON_API_MACROS: Final = {theirs: ours for ours, theirs in _INFINITY_MACROS.items()}
_SIMPOD_METRICS: Final = {
    "promotion_history": HistoryQuery(LEDGER_COLUMNS, {}),
    "promotion_swaps": HistoryQuery(SWAP_COLUMNS, SWAPS),
    "promotion_event_totals": HistoryQuery(TOTALS_COLUMNS, {}, TOTALS_PATH),
}


def datasource(plugin: str) -> Json:
    return {"type": plugin, "uid": LEDGER_UID}


def json_api(query: HistoryQuery) -> Json:
    """For the JSON API plugin. The path begins with a slash and names no host, or the plugin mangles it."""
    fields = [
        {"jsonPath": f"$[*].{column.key}", "language": "jsonpath", "name": column.heading, "type": column.type}
        for column in query.columns
    ]
    return {
        "body": "",
        "cacheDurationSeconds": 0,  # the plugin's own default hides new rows for five minutes
        "datasource": datasource(JSON_API),
        "fields": fields,
        "headers": [],
        "method": "GET",
        "params": [[name, value] for name, value in query.params.items()],
        "queryParams": "",
        "refId": query.ref,
        "urlPath": query.path,
    }


def infinity(query: HistoryQuery) -> Json:
    """For the Infinity plugin: its backend parser, which alerts and shared dashboards can use too."""
    return {
        "columns": [
            {"selector": column.key, "text": column.heading, "type": _infinity_type(column)}
            for column in query.columns
        ],
        "datasource": datasource(INFINITY),
        "filters": [],
        "format": "dataframe" if any(column.heading == "time" for column in query.columns) else "table",
        "parser": "backend",
        "refId": query.ref,
        "root_selector": "",
        "source": "url",
        "type": "json",
        "url": query.path,
        "url_options": {
            "data": "",
            "method": "GET",
            "params": [
                {"key": name, "value": _INFINITY_MACROS.get(value, value)} for name, value in query.params.items()
            ],
        },
    }


def _infinity_type(column: Column) -> str:
    return "timestamp" if column.type == "time" else column.type


def simpod(query: HistoryQuery) -> Json:
    """For simPod's plugin, which sends the time range by itself; the columns are the service's choice."""
    params = dict(query.params)
    metric = "promotion_history"
    if query.path == TOTALS_PATH:
        metric = "promotion_event_totals"
    elif params.get("decision") == SWAPS["decision"] and "from" in params:
        metric = "promotion_swaps"
        del params["decision"]
    return {
        "datasource": datasource(SIMPOD),
        "payload": {name: value for name, value in params.items() if name not in ("from", "to")},
        "refId": query.ref,
        "target": metric,
    }


def read(plugin: str, target: Json) -> HistoryQuery:
    """What a plugin's query asks for. Raises ValueError, which says what cannot be read of it."""
    return _READERS[plugin](target)


def write(plugin: str, query: HistoryQuery) -> Json:
    return _WRITERS[plugin](query)


def _read_json_api(target: Json) -> HistoryQuery:
    columns = []
    for field in target.get("fields") or []:
        path = field.get("jsonPath") or ""
        key = _JSON_PATH.match(path)
        if key is None:
            raise ValueError(f"{path!r} is no key of a row, such as $[*].ts")
        heading = field.get("name") or key[1]
        columns.append(Column(key[1], heading, _type(heading, field.get("type"), _JSON_API_TYPES)))
    path, _, asked = (target.get("urlPath") or "").partition("?")
    params = [*_parsed(asked), *_parsed(target.get("queryParams")), *(target.get("params") or [])]
    return _query(columns, dict(params), path, target)


def _read_infinity(target: Json) -> HistoryQuery:
    columns = []
    for column in target.get("columns") or []:
        key = column.get("selector") or ""
        heading = column.get("text") or key
        columns.append(Column(key, heading, _type(heading, column.get("type"), _INFINITY_TYPES)))
    path, _, asked = (target.get("url") or "").partition("?")
    options = (target.get("url_options") or {}).get("params") or []
    params = [*_parsed(asked), *((param["key"], param["value"]) for param in options)]
    return _query(columns, {name: _JSON_API_MACROS.get(value, value) for name, value in params}, path, target)


def _read_simpod(target: Json) -> HistoryQuery:
    metric = target.get("target") or ""
    if metric not in _SIMPOD_METRICS:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(_SIMPOD_METRICS)}")
    known = _SIMPOD_METRICS[metric]
    payload = target.get("payload") or {}
    chosen = {name: str(value) for name, value in payload.items() if value not in (None, "")}
    return known._replace(params={**known.params, **chosen}, ref=target.get("refId") or known.ref)


def _parsed(text: str | None) -> list[tuple[str, str]]:
    return parse_qsl(text or "", keep_blank_values=True)


def _type(heading: str, given: str | None, types: Mapping[str, ColumnType]) -> ColumnType:
    if given is None or given not in types:
        raise ValueError(f"column {heading!r} has the type {given!r}; it needs one of {', '.join(types)}")
    return types[given]


def _query(columns: list[Column], params: Mapping[str, str], path: str, target: Json) -> HistoryQuery:
    if not columns:
        raise ValueError("it names no columns")
    return HistoryQuery(tuple(columns), params, path, target.get("refId") or "A")


_READERS: Final[dict[str, Callable[[Json], HistoryQuery]]] = {
    JSON_API: _read_json_api,
    INFINITY: _read_infinity,
    SIMPOD: _read_simpod,
}
_WRITERS: Final[dict[str, Callable[[HistoryQuery], Json]]] = {
    JSON_API: json_api,
    INFINITY: infinity,
    SIMPOD: simpod,
}
PLUGINS: Final = tuple(_READERS)
