"""What the parts of a dashboard are made of, as far as anything here reads them.

A field may be missing or null, which the lint judges; where there is one it must be of its kind, so that every
reader of a dashboard can rely on that.
"""

from typing import Any

import msgspec
from msgspec import Struct

from gameplay.observability.dashboard.visuals import Json
from ledger.decoders import convert


class Source(Struct):
    type: str | None = None
    uid: str | None = None


class Field(Struct):
    jsonPath: str | None = None  # noqa: N815 - Grafana's words, here and below
    name: str | None = None
    type: str | None = None


class Column(Struct):
    selector: str | None = None
    text: str | None = None
    type: str | None = None


class Pair(Struct):
    key: str
    value: str


class Options(Struct):
    params: list[Pair] | None = None


class Query(Struct):
    refId: str | None = None  # noqa: N815
    datasource: Source | str | None = None
    expr: str | None = None
    legendFormat: str | None = None  # noqa: N815
    urlPath: str | None = None  # noqa: N815
    queryParams: str | None = None  # noqa: N815
    params: list[tuple[str, str]] | None = None
    fields: list[Field] | None = None
    columns: list[Column] | None = None
    url: str | None = None
    url_options: Options | None = None
    target: str | None = None
    payload: dict[str, Any] | None = None


class Grid(Struct):
    """A place; Grafana allows fractions."""

    x: float = 0
    y: float = 0
    w: float = 0
    h: float = 0


class Panel(Struct):
    id: int | None = None
    type: str | None = None
    title: str | None = None
    datasource: Source | str | None = None
    description: str | None = None
    gridPos: Grid | None = None  # noqa: N815
    fieldConfig: dict[str, Any] | None = None  # noqa: N815
    options: dict[str, Any] | None = None
    targets: list[Query] | None = None
    panels: list["Panel"] | None = None


class Annotation(Struct):
    name: str | None = None
    datasource: Source | str | None = None
    expr: str | None = None
    titleFormat: str | None = None  # noqa: N815
    target: Query | None = None


class Annotations(Struct):
    listed: list[Annotation] | None = msgspec.field(name="list", default=None)


class Variable(Struct):
    """A variable; its query is a text or an object, as its data source wants it."""

    name: str | None = None
    type: str | None = None
    datasource: Source | str | None = None
    query: str | dict[str, Any] | None = None


class Templating(Struct):
    listed: list[Variable] | None = msgspec.field(name="list", default=None)


class Dashboard(Struct):
    uid: str | None = None
    title: str | None = None
    tags: list[str] | None = None
    panels: list[Panel] | None = None
    annotations: Annotations | None = None
    templating: Templating | None = None


def fault(dashboard: Json) -> str | None:
    """Where a dashboard is not made as Grafana makes them; None where it is."""
    try:
        convert(dashboard, Dashboard)
    except msgspec.ValidationError as error:
        return f"it is not made as Grafana makes them: {error}"
    return None
