"""Queries of the promotion history: written for the JSON API plugin, and translated for the two others.

Columns are typed since none of the plugins can be trusted to guess: one null turns a column of numbers into text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from projections.dashboard.visuals import Json
from projections.site import HISTORY_PATH, LEDGER_UID

JSON_API: Final = "marcusolsson-json-datasource"
INFINITY: Final = "yesoreyeram-infinity-datasource"
SIMPOD: Final = "simpod-json-datasource"

ColumnType = Literal["time", "number", "string"]


class Column(NamedTuple):
    """A key of a history row, its heading, and what it holds."""

    key: str
    heading: str
    type: ColumnType


LEDGER_COLUMNS = (
    Column("ts", "Time", "time"),
    Column("model_type", "Model", "string"),
    Column("decision", "Decision", "string"),
    Column("production_win_rate", "Production win rate", "number"),
    Column("b_win_rate", "B win rate", "number"),
    Column("z_statistic", "z", "number"),
    Column("p_value", "p", "number"),
    Column("reason", "Reason", "string"),
)
# Grafana's annotations know their fields by these names.
SWAP_COLUMNS = (
    Column("ts", "time", "time"),
    Column("title", "title", "string"),
    Column("text", "text", "string"),
    Column("tags", "tags", "string"),
)
SWAPS: Final = {
    "decision": "swap_production_b",
    "from": "$__isoFrom()",
    "to": "$__isoTo()",
    "limit": "200",
}

_JSON_PATH = re.compile(r"\$\[\*\]\.(\w+)\Z")
_INFINITY_TYPES: Final = {"time": "timestamp", "number": "number", "string": "string"}
_INFINITY_MACROS: Final = {"$__isoFrom()": "${__timeFrom:date:iso}", "$__isoTo()": "${__timeTo:date:iso}"}


def datasource(plugin: str) -> Json:
    """The reference to the ledger's data source."""
    return {"type": plugin, "uid": LEDGER_UID}


def json_api(columns: Sequence[Column], params: Mapping[str, str], *, ref: str = "A") -> Json:
    """A query of the history. The path begins with a slash and names no host, or the plugin mangles it."""
    fields = [
        {"jsonPath": f"$[*].{column.key}", "language": "jsonpath", "name": column.heading, "type": column.type}
        for column in columns
    ]
    return {
        "body": "",
        "cacheDurationSeconds": 0,  # the plugin's own default hides new rows for five minutes
        "datasource": datasource(JSON_API),
        "fields": fields,
        "headers": [],
        "method": "GET",
        "params": [[name, value] for name, value in params.items()],
        "queryParams": "",
        "refId": ref,
        "urlPath": HISTORY_PATH,
    }


def columns_of(target: Json) -> list[Column]:
    """The columns of a JSON API query. Raises ValueError for a path that is no key of a row."""
    columns = []
    for field in target["fields"]:
        path = _JSON_PATH.match(field["jsonPath"])
        if path is None:
            raise ValueError(f"{field['jsonPath']!r} is no key of a row, such as $[*].ts")
        columns.append(Column(path[1], field.get("name", path[1]), field.get("type", "string")))
    return columns


def infinity(target: Json) -> Json:
    """A JSON API query for the Infinity plugin: its backend parser, which alerts and shared boards can use too."""
    columns = columns_of(target)
    return {
        "columns": [
            {"selector": column.key, "text": column.heading, "type": _INFINITY_TYPES[column.type]}
            for column in columns
        ],
        "datasource": datasource(INFINITY),
        "filters": [],
        "format": "dataframe" if any(column.heading == "time" for column in columns) else "table",
        "parser": "backend",
        "refId": target["refId"],
        "root_selector": "",
        "source": "url",
        "type": "json",
        "url": target["urlPath"],
        "url_options": {
            "data": "",
            "method": "GET",
            "params": [
                {"key": name, "value": _INFINITY_MACROS.get(value, value)} for name, value in target["params"]
            ],
        },
    }


def simpod(target: Json) -> Json:
    """A JSON API query for simPod's plugin, which sends the time range by itself."""
    params = dict(target["params"])
    swaps = params.pop("decision", None) == "swap_production_b"
    return {
        "datasource": datasource(SIMPOD),
        "payload": {name: value for name, value in params.items() if name not in ("from", "to")},
        "refId": target["refId"],
        "target": "promotion_swaps" if swaps else "promotion_history",
    }


TRANSLATIONS: Final[dict[str, Callable[[Json], Json]]] = {INFINITY: infinity, SIMPOD: simpod}
