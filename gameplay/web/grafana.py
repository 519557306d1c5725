"""The promotion history as simPod's JSON data source for Grafana asks for it.

Answers are data frames, which carry types. Of a plain table the plugin would guess the types from the first row.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gameplay.observability.dashboard.history_query import LEDGER_COLUMNS, SWAP_COLUMNS, TOTALS_COLUMNS, Column
from gameplay.refusals import Invalid
from gameplay.serving.service import Service
from gameplay.web.bodies import answer, decode, read_body
from gameplay.web.numbers import QuotedNumbersDecoder
from gameplay.web.promotion import DAYS, DAYS_MAX, HISTORY_LIMIT, HISTORY_LIMIT_MAX, read_rows, read_totals
from gameplay.web.queries import parse_instant
from gameplay.web.state import lanes_of, service_of
from ledger.errors import InvalidTextError
from ledger.numbers import parse_whole
from ledger.vocabulary import DECISIONS, FAMILIES
from projections.read_models.history import Query
from projections.read_models.history_row import render

TARGETS_MAX = 20
REF_ID = "A"
"""Which query of a panel a frame answers, where the query does not say: Grafana names the first one so."""

Payload = dict[str, Any]
Text = Annotated[str, Meta(max_length=200)]


class Target(msgspec.Struct, frozen=True):
    """One query of a panel; the plugin sends form fields as text, and unset ones as empty text."""

    target: Text | None = None
    refId: Text | None = None  # noqa: N815 - Grafana's word
    payload: Payload | None = None


class Range(msgspec.Struct, frozen=True):
    """ISO 8601 times."""

    from_: Text = msgspec.field(name="from")
    to: Text


class QueryBody(msgspec.Struct, frozen=True):
    """The body of `/query`; Grafana's other fields are ignored."""

    targets: Annotated[tuple[Target, ...], Meta(max_length=TARGETS_MAX)] | None = None
    range: Range | None = None


class OptionsBody(msgspec.Struct, frozen=True):
    """The body of `/metric-payload-options`."""

    name: Text | None = None
    metric: Text | None = None


class VariableTarget(msgspec.Struct, frozen=True):
    """Which values a variable asks for."""

    target: Text | None = None


class VariableBody(msgspec.Struct, frozen=True):
    """The body of `/variable`."""

    payload: VariableTarget | None = None


class Field(NamedTuple):
    """A column of a frame: a key of a row, Grafana's type, and its heading."""

    key: str
    type: str
    name: str


class Metric(NamedTuple):
    """What a panel can show: label, form fields, columns, and the rows for a payload and a time range."""

    label: str
    payloads: tuple[str, ...]
    fields: tuple[Field, ...]
    read: Callable[[Service, Payload, Range | None], list[dict[str, Any]]]


OPTIONS: Mapping[str, tuple[str, ...]] = {"model_type": FAMILIES, "decision": DECISIONS}
VARIABLES: Mapping[str, tuple[str, ...]] = {"models": FAMILIES, "decisions": DECISIONS}

_query_decoder = QuotedNumbersDecoder(QueryBody)
_options_decoder = QuotedNumbersDecoder(OptionsBody)
_variable_decoder = QuotedNumbersDecoder(VariableBody)


async def root(_request: Request) -> Response:
    """GET /internal/grafana: the plugin's "save and test" asks for it."""
    return answer({"ok": True, "metrics": list(METRICS)})


async def metrics(request: Request) -> Response:
    """POST /internal/grafana/metrics: the metrics and their form fields."""
    await read_body(request)
    return answer(
        [
            {"label": metric.label, "value": name, "payloads": [_form_field(field) for field in metric.payloads]}
            for name, metric in METRICS.items()
        ]
    )


async def payload_options(request: Request) -> Response:
    """POST /internal/grafana/metric-payload-options: the values of a form field."""
    asked = decode(await read_body(request), _options_decoder)
    name = asked.name or ""
    if name not in OPTIONS:
        raise Invalid(f"name={name!r} has no options; there are {', '.join(OPTIONS)}")
    return answer(_options(name))


async def query(request: Request) -> Response:
    """POST /internal/grafana/query: a frame for each target. Annotations use the same call."""
    service = service_of(request)
    asked = decode(await read_body(request), _query_decoder)
    frames = await lanes_of(request).reads(_frames, service, asked)
    return answer(frames, headers={"Cache-Control": "no-store"})


async def variable(request: Request) -> Response:
    """POST /internal/grafana/variable: the values of a dashboard's variable."""
    payload = decode(await read_body(request), _variable_decoder).payload
    asked = (payload.target if payload else None) or ""
    if asked not in VARIABLES:
        raise Invalid(f"payload.target={asked!r} is unknown; there are {', '.join(VARIABLES)}")
    return answer([{"__text": value, "__value": value} for value in VARIABLES[asked]])


def _form_field(name: str) -> dict[str, Any]:
    if name in OPTIONS:
        return {"name": name, "label": name, "type": "select", "options": _options(name)}
    return {"name": name, "label": name, "type": "input"}


def _options(name: str) -> list[dict[str, str]]:
    return [{"label": value, "value": value} for value in OPTIONS[name]]


def _frames(service: Service, asked: QueryBody) -> list[dict[str, Any]]:
    frames = []
    for target in asked.targets or ():
        if not target.target:
            continue  # a query that was just added: refused, it would blank the panel's other queries too
        metric = METRICS.get(target.target)
        if metric is None:
            raise Invalid(f"target={target.target!r} is unknown; there are {', '.join(METRICS)}")
        found = metric.read(service, target.payload or {}, asked.range)
        fields = [
            {"name": field.name, "type": field.type, "values": [row[field.key] for row in found]}
            for field in metric.fields
        ]
        frames.append({"refId": target.refId or REF_ID, "name": metric.label, "fields": fields})
    return frames


def _history(service: Service, payload: Payload, _range: Range | None) -> list[dict[str, Any]]:
    """The last rows, whatever the time range: the ledger panel shows twenty cycles, however long they took."""
    asked = Query(
        limit=_whole(payload, "limit", HISTORY_LIMIT, HISTORY_LIMIT_MAX),
        model_types=_words(payload, "model_type"),
        decisions=_words(payload, "decision"),
    )
    return [render(row) for row in read_rows(service, asked)]


def _swaps(service: Service, payload: Payload, range_: Range | None) -> list[dict[str, Any]]:
    """Swaps within the time range, for annotations."""
    from_us, to_us = _between(range_)
    asked = Query(
        limit=HISTORY_LIMIT_MAX,
        model_types=_words(payload, "model_type"),
        decisions=("swap_production_b",),
        from_us=from_us,
        to_us=to_us,
    )
    return [render(row) for row in read_rows(service, asked)]


def _totals(service: Service, payload: Payload, _range: Range | None) -> list[dict[str, Any]]:
    return read_totals(service, _whole(payload, "days", DAYS, DAYS_MAX))


def _words(payload: Payload, name: str) -> tuple[str, ...]:
    """Any of a closed set of words: one, a list, or `{a,b}`, as Grafana writes a variable with several values.

    An empty form field is none of them.
    """
    given = payload.get(name)
    if given is None or given in ("", []):
        return ()
    words = given.removeprefix("{").removesuffix("}").split(",") if isinstance(given, str) else given
    if not isinstance(words, list) or not all(word in OPTIONS[name] for word in words):
        raise Invalid(f"{name}={given!r} is unknown; there are {', '.join(OPTIONS[name])}")
    return tuple(words)


def _whole(payload: Payload, name: str, default: int, high: int) -> int:
    given = payload.get(name)
    if given is None or given == "":
        return default
    try:
        number = parse_whole(str(given))
    except InvalidTextError as error:
        raise Invalid(f"{name}={given!r} is no whole number") from error
    if not 1 <= number <= high:
        raise Invalid(f"{name} must lie between 1 and {high}")
    return number


def _between(range_: Range | None) -> tuple[int | None, int | None]:
    if range_ is None:
        return None, None
    try:
        return parse_instant(range_.from_), parse_instant(range_.to)
    except ValueError as error:
        raise Invalid(f"the range is no pair of times: {error}") from error


def _fields(columns: Iterable[Column]) -> tuple[Field, ...]:
    """The dashboard's columns; simPod takes times in milliseconds."""
    return tuple(Field("ts_ms" if one.key == "ts" else one.key, one.type, one.heading) for one in columns)


METRICS: Mapping[str, Metric] = {
    "promotion_history": Metric(
        "Promotion history", ("limit", "model_type", "decision"), _fields(LEDGER_COLUMNS), _history
    ),
    "promotion_swaps": Metric("Swaps", ("model_type",), _fields(SWAP_COLUMNS), _swaps),
    "promotion_event_totals": Metric("Promotion event totals", ("days",), _fields(TOTALS_COLUMNS), _totals),
}
