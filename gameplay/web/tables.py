"""Rows of a table as the client prefers them, and addresses by which it reaches this service again."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gameplay.web.bodies import answer
from gameplay.web.forwarded import FORWARDED_HOST
from gameplay.web.negotiation import TEXT, media_type

CSV = "text/csv"
# Anything else could end the address in the header that it stands in.
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+").fullmatch


def table_answer(
    request: Request,
    content: Sequence[Mapping[str, Any]] | Mapping[str, Any],
    columns: Sequence[str],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Rows, or one row, as CSV where the client prefers that, else as JSON."""
    shown = {"Cache-Control": "no-store", "Vary": "Accept", **(headers or {})}
    # JSON whatever else is accepted: clients of old send headers that they do not mean.
    if media_type(request.headers.getlist("accept"), ("application/json", CSV), ignored=TEXT) != CSV:
        return answer(content, headers=shown)
    return csv_answer([content] if isinstance(content, Mapping) else content, columns, shown)


def csv_answer(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], headers: Mapping[str, str]) -> Response:
    """Rows as CSV, whatever the client prefers."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(columns)
    lines.writerows([_cell(row[name]) for name in columns] for row in rows)
    return Response(text.getvalue(), headers=headers, media_type=f"{CSV}; charset=utf-8; header=present")


def link_to(request: Request, following: str | None) -> dict[str, str]:
    """The header that leads to the page with this query string, if there is one."""
    if following is None:
        return {}
    return {"Link": f'<{public_url(request, request.url.path)}?{following}>; rel="next"'}


def public_url(request: Request, path: str) -> str:
    """The absolute address of a path; the path begins with RPS_ROOT_PATH already, as the client knows it."""
    host = request.scope.get(FORWARDED_HOST) or request.headers.get("host", "")
    return f"{request.url.scheme}://{host}{path}" if _HOST(host) else path


def _cell(value: Any) -> Any:
    """Nothing for null, `true` and `false`, and JSON where a value is nested."""
    match value:
        case None:
            return ""
        case bool() | list() | dict():
            return msgspec.json.encode(value).decode()
        case _:
            return value
