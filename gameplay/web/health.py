"""Health, readiness, metrics, and what the service is."""

from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.process_metrics import VERSION
from gameplay.web.bodies import answer
from gameplay.web.errors import RETRY_AFTER
from gameplay.web.negotiation import media_type
from gameplay.web.queries import choice
from gameplay.web.state import lanes_of, masked_of, service_of
from projections.metrics.exposition import FORMATS, SCOPES, TEXT


async def root(request: Request) -> Response:
    """GET /: what the service is. Grafana's "save and test" calls it."""
    dashboard = service_of(request).base.settings.grafana_dashboard_url
    return answer(
        {
            "service": "rps-promotion-ledger",
            "version": VERSION,
            "links": {
                "health": "/healthz",
                "ready": "/readyz",
                "metrics": "/metrics",
                "history": "/internal/promotion/history",
                "models": "/models",
            },
            "grafana_dashboard_url": dashboard and masked_of(request)(dashboard),
        }
    )


async def healthz(request: Request) -> Response:
    """GET /healthz: 200 as soon as the process serves; 503 when a thread has died and only another start helps."""
    service = service_of(request)
    failing = {job: masked_of(request)(problem) for job, problem in service.schedule.failing.items()}
    problem = service.start.problem
    shown = {
        "version": VERSION,
        "uptime_seconds": round(service.uptime_seconds(), 3),
        "failing_jobs": failing,
        "start_problem": problem and masked_of(request)(problem),
    }
    if died := service.died():
        detail = "; ".join(f"the thread {name} died: {error}" for name, error in died.items())
        return answer({"ok": False, "detail": masked_of(request)(detail), **shown}, 503, RETRY_AFTER)
    return answer({"ok": True, **shown})


async def readyz(request: Request) -> Response:
    """GET /readyz: 200 when projections are at the head and models are loaded; else 503 with what is missing."""
    service, masked = service_of(request), masked_of(request)
    missing = await lanes_of(request).reads(service.missing)
    # Not a reason to send no players: what is in memory is what the ledger says.
    mismatches = {family: masked(problem) for family, problem in service.problems().items()}
    shown = {"ready": not missing, "missing": [*map(masked, missing)], "registry_mismatches": mismatches}
    return answer(shown, 503, RETRY_AFTER) if missing else answer(shown)


async def metrics(request: Request) -> Response:
    """GET /metrics, in the format that the scraper prefers."""
    service = service_of(request)
    scope = service.exposed(choice(request, "scope", SCOPES))
    if scope != "process":
        service.require_caught_up()
    # The answer is 200 whatever the scraper accepts: one that accepts none of the formats gets plain text.
    accepted = media_type(request.headers.getlist("accept"), list(FORMATS), ignored=("escaping",)) or TEXT
    body = await lanes_of(request).reads(service.exposition.render, accepted, scope)
    return Response(body, headers={"Content-Type": accepted, "Vary": "Accept"})
