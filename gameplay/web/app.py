"""The ASGI application: routes, error mapping, and a lifespan that builds everything once."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gameplay.config import Settings
from gameplay.models.registry import Registry
from gameplay.refusals import Refusal, TooLarge, Unauthorized, Unavailable
from gameplay.serving.service import open_service
from gameplay.web import games, grafana, health, models, promotion, training
from gameplay.web.bodies import answer
from gameplay.web.http_metrics import HttpMetrics
from gameplay.web.state import State
from ledger.errors import BusyError, ClosedError, InvalidEventError, StorageError
from projections.errors import ProjectionError

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "1"

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(settings: Settings, *, registry: Registry | None = None) -> Starlette:
    """The application over the ledger that the settings name; the registry is MLflow's, unless one is given."""
    process = CollectorRegistry()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with open_service(settings, process, registry=registry) as service:
            yield {"service": service}

    return Starlette(
        routes=ROUTES,
        middleware=[Middleware(HttpMetrics, registry=process)],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            BusyError: _unavailable,
            ClosedError: _unavailable,
            StorageError: _unavailable,
            ProjectionError: _unavailable,
            InvalidEventError: _invalid_event,
            Exception: _unexpected,
        },
        lifespan=lifespan,
    )


def _get(path: str, endpoint: Endpoint, *, gzip: bool = False) -> Route:
    packed = [Middleware(GZipMiddleware, compresslevel=1)] if gzip else []
    return Route(path, endpoint, methods=["GET"], middleware=packed)


def _post(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"])


# Where Grafana and scrapers ask, a slash at the end is no other place: Starlette would send them to an address
# that only this process knows.
ROUTES = [
    _post("/play", games.play),
    _get("/", health.root),
    _get("/healthz", health.healthz),
    _get("/readyz", health.readyz),
    _get("/metrics", health.metrics, gzip=True),
    _get("/metrics/", health.metrics, gzip=True),
    _post("/start_game", games.start_game),
    _get("/round_points", games.round_points_of),
    _get("/policies", games.policies),
    _get("/models", models.models),
    _post("/models/reload", models.reload_all),
    _post("/models/reload/{model_type}/{alias}", models.reload_one),
    _post("/internal/promotion/report", promotion.report),
    _get("/internal/promotion/history", promotion.history, gzip=True),
    _get("/internal/promotion/history/", promotion.history, gzip=True),
    _get("/internal/promotion/event_totals", promotion.event_totals),
    _get("/internal/promotion/event_totals/", promotion.event_totals),
    _post("/internal/training/complete", training.complete),
    _get("/internal/grafana", grafana.root),
    _get("/internal/grafana/", grafana.root),
    _post("/internal/grafana/metrics", grafana.metrics),
    _post("/internal/grafana/metric-payload-options", grafana.payload_options),
    _post("/internal/grafana/query", grafana.query),
    _post("/internal/grafana/variable", grafana.variable),
]


def _detail(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return answer({"detail": text}, status, headers)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers: dict[str, str] = {}
    match error:
        case Unauthorized():
            headers["WWW-Authenticate"] = "Bearer"
        case Unavailable():
            headers["Retry-After"] = RETRY_AFTER_SECONDS
        case TooLarge():
            headers["Connection"] = "close"  # the rest of the body stays unread
        case _:
            pass
    return _detail(error.status, str(error), headers)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _detail(error.status_code, error.detail, dict(error.headers or {}))


async def _unavailable(_request: Request, error: Exception) -> Response:
    return _detail(503, str(error), {"Retry-After": RETRY_AFTER_SECONDS})


async def _invalid_event(_request: Request, error: Exception) -> Response:
    # The bodies' checks should have said so in the caller's words; that they did not is ours to mend.
    log.error("an event was refused by the codec: %s", error)
    return _detail(422, str(error))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and the server logs its traceback.
    return _detail(500, "internal error; the service's log says more")
