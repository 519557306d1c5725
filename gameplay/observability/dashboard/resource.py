"""What dashboards of Grafana's newer form are made of, as far as they are read.

The names are those of Grafana's schema, `apps/dashboard/kinds/v2/dashboard_spec.cue`; its drafts, v2alpha1 and
v2beta1, write `kind` where it writes `group`, and put some data sources elsewhere.
"""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from gameplay.observability.dashboard.visuals import Json

Spec = TypeVar("Spec")


class Kind(Struct, Generic[Spec]):
    """Everything is of a kind and holds a specification; `group` names the plugin."""

    kind: str
    spec: Spec
    group: str | None = None

    @property
    def plugin(self) -> str:
        return self.group or self.kind


class Source(Struct):
    """A data source by its uid, which the drafts call so; neither where the export is for sharing."""

    name: str | None = None
    uid: str | None = None
    type: str | None = None


class DataQuery(Kind[Json]):
    datasource: Source | None = None


class PanelQuery(Struct):
    query: DataQuery
    refId: str = "A"  # noqa: N815 - Grafana's words, here and below
    hidden: bool = False
    datasource: Source | None = None


class QueryGroup(Struct):
    queries: list[Kind[PanelQuery]]
    transformations: list[Kind[Json]] = []
    queryOptions: Json = {}  # noqa: N815


class Visual(Struct):
    options: Json = {}
    fieldConfig: Json = {}  # noqa: N815


class Panel(Struct):
    id: int
    vizConfig: Kind[Visual] | None = None  # noqa: N815
    data: Kind[QueryGroup] | None = None
    title: str = ""
    description: str = ""
    subtitle: str = ""
    links: list[Json] = []
    transparent: bool = False


class Reference(Struct):
    name: str


class Item(Struct):
    """A panel's place; an automatic grid gives none."""

    element: Reference
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    repeat: Json | None = None
    conditionalRendering: Json | None = None  # noqa: N815


class Section(Struct):
    """A row or a tab."""

    layout: Kind["Layout"]
    title: str = ""
    collapse: bool = False
    hideHeader: bool = False  # noqa: N815
    repeat: Json | None = None
    conditionalRendering: Json | None = None  # noqa: N815
    variables: list[Any] = []


class Layout(Struct):
    """Any of the four kinds of layout: grids have items, the others sections."""

    items: list[Kind[Item]] = []
    rows: list[Kind[Section]] = []
    tabs: list[Kind[Section]] = []
    maxColumnCount: int | None = None  # noqa: N815
    rowHeightMode: str = "standard"  # noqa: N815
    rowHeight: float | None = None  # noqa: N815


class Annotation(Struct):
    name: str
    query: DataQuery | None = None
    datasource: Source | None = None
    enable: bool = False
    hide: bool = False
    iconColor: str = ""  # noqa: N815
    builtIn: bool = False  # noqa: N815
    filter: Json | None = None
    mappings: Json | None = None
    legacyOptions: Json = {}  # noqa: N815


class Variable(Kind[Json]):
    datasource: Source | None = None


class TimeSettings(Struct):
    timezone: str = "browser"
    begin: str = msgspec.field(name="from", default="now-6h")
    end: str = msgspec.field(name="to", default="now")
    autoRefresh: str = ""  # noqa: N815
    autoRefreshIntervals: list[str] = []  # noqa: N815
    quickRanges: list[Json] = []  # noqa: N815
    hideTimepicker: bool = False  # noqa: N815
    nowDelay: str = ""  # noqa: N815
    weekStart: str = ""  # noqa: N815
    fiscalYearStartMonth: int = 0  # noqa: N815


class Dashboard(Struct):
    elements: dict[str, Kind[Json]]
    layout: Kind[Layout]
    title: str = ""
    annotations: list[Kind[Annotation]] = []
    variables: list[Variable] = []
    timeSettings: TimeSettings = msgspec.field(default_factory=TimeSettings)  # noqa: N815
    cursorSync: str = "Off"  # noqa: N815
    description: str = ""
    editable: bool = True
    links: list[Json] = []
    liveNow: bool = False  # noqa: N815
    tags: list[str] = []
