"""The page to which every alert leads: what it means, what it looks at, and what to do."""

import html
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gameplay.observability.alerts.catalog import alerts
from gameplay.web.openapi import STYLE


async def runbook(_request: Request) -> Response:
    """GET /runbook."""
    return HTMLResponse("".join(_page()))


def _page() -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>Runbook</title><style>{STYLE}</style>"
    yield "<h1>Runbook</h1><p>Each alert of this service, with what to do.</p>"
    known: set[str] = set()
    for alert in alerts():
        anchor = "" if alert.name in known else f' id="{alert.name}"'
        known.add(alert.name)
        yield f"<h2{anchor}>{html.escape(alert.title)}</h2>"
        panel = f"; panel {alert.panel_id} of the dashboard" if alert.panel_id else ""
        yield f"<p>{alert.severity}, after {alert.hold}{panel}. {html.escape(alert.description)}</p>"
        yield f"<pre>{html.escape(alert.expression)}</pre>"
    yield "</html>"
