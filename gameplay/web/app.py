"""The ASGI application: its calls, and a lifespan that builds everything once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gameplay.config import Settings
from gameplay.models.registry import Registry
from gameplay.serving.service import open_service
from gameplay.web import (
    cycles,
    event_stream,
    feed,
    games,
    grafana,
    health,
    models,
    openapi,
    orders,
    players,
    promotion,
    runbook,
    training,
)
from gameplay.web.access_log import log_request
from gameplay.web.calls import Call, direct, routes
from gameplay.web.console import (
    decision_list,
    decision_page,
    derivation,
    event_page,
    family_page,
    game_page,
    leaderboard_page,
    live,
    operator_page,
    overview,
    play_page,
    player_page,
    statics,
    what_if_page,
)
from gameplay.web.console.assets import read_assets
from gameplay.web.console.templating import Pages
from gameplay.web.console.watching import Live
from gameplay.web.deliveries import Deliveries
from gameplay.web.direct import Direct
from gameplay.web.errors import HANDLERS
from gameplay.web.forwarded import Forwarded
from gameplay.web.front import Front
from gameplay.web.http_metrics import HttpMetrics
from gameplay.web.lanes import Lanes
from gameplay.web.limits import DEFAULTS, Limits
from gameplay.web.mlflow_webhook import mlflow_webhook
from gameplay.web.state import State
from gameplay.web.stopping import Stopping
from gameplay.web.streams import Streams


def create_app(settings: Settings, *, registry: Registry | None = None, limits: Limits = DEFAULTS) -> Starlette:
    """The application over the ledger that the settings name; the registry is MLflow's, unless one is given."""
    process = CollectorRegistry()
    pages = Pages(settings, read_assets())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with open_service(settings, process, registry=registry) as service:
            stopping = Stopping()
            yield {
                "service": service,
                "live": Live(stopping),
                "stopping": stopping,
                "lanes": Lanes(limits),
                "limits": limits,
                "streams": Streams(limits.streams, stopping),
                "deliveries": Deliveries(),
                "masked": settings.masking(),
                "pages": pages,
                "calls": CALLS,
            }

    app = Starlette(
        routes=routes(CALLS, settings),
        middleware=[
            Middleware(Forwarded, trusted=settings.forwarded_allow_ips),
            Middleware(Front, [HttpMetrics(process, CALLS).note, *([log_request] if settings.access_log else [])]),
            Middleware(Direct, direct(CALLS, settings)),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


# The game first: paths are tried in this order.
CALLS = (
    Call(method="POST", path="/play", endpoint=games.play, shared=True, part="games"),
    Call(method="GET", path="/play", endpoint=play_page.play, packed=True, part="games"),
    Call(method="POST", path="/erase_name", endpoint=games.erase_name, part="games"),
    Call(method="GET", path="/round_points", endpoint=games.round_points_of, shared=True, part="games"),
    Call(method="POST", path="/start_game", endpoint=games.start_game, shared=True, part="games"),
    Call(method="GET", path="/policies", endpoint=games.policies, shared=True, part="games"),
    Call(method="GET", path="/", endpoint=overview.root, packed=True, part=None),
    Call(method="GET", path="/overview.json", endpoint=overview.overview, packed=True),
    Call(method="GET", path="/live", endpoint=live.live, endless=True),
    Call(method="GET", path="/decisions", endpoint=decision_list.decisions, packed=True, twin=True),
    Call(method="GET", path="/decisions.csv", endpoint=decision_list.table, packed=True),
    Call(method="GET", path="/decisions/{position}", endpoint=decision_page.decision, packed=True, twin=True),
    Call(method="POST", path="/decisions/{position}/derive", endpoint=derivation.derive),
    Call(method="GET", path="/decisions/{position}/proof", endpoint=derivation.proof),
    Call(method="GET", path="/families/{family}", endpoint=family_page.family, packed=True, twin=True),
    Call(method="GET", path="/what-if", endpoint=what_if_page.what_if, packed=True, twin=True),
    Call(method="GET", path="/games/{game_id}", endpoint=game_page.game, packed=True, twin=True),
    Call(method="GET", path="/events/{position}", endpoint=event_page.event, packed=True, twin=True),
    Call(method="GET", path="/leaderboard", endpoint=leaderboard_page.leaderboard, packed=True, twin=True),
    Call(method="GET", path="/operator", endpoint=operator_page.operator, packed=True, twin=True),
    Call(method="GET", path="/players/{player_id}", endpoint=player_page.player, packed=True, twin=True),
    Call(method="GET", path="/bot_win_rates", endpoint=players.bot_win_rates),
    Call(method="GET", path="/win_streaks", endpoint=players.streaks),
    Call(method="GET", path="/stats", endpoint=players.stats),
    Call(method="GET", path="/static/{name}", endpoint=statics.static, packed=True, part=None),
    Call(method="GET", path="/healthz", endpoint=health.healthz, part=None),
    Call(method="GET", path="/readyz", endpoint=health.readyz, part=None),
    Call(method="GET", path="/metrics", endpoint=health.metrics, packed=True, part=None),
    Call(method="GET", path="/openapi.json", endpoint=openapi.openapi, packed=True, part=None),
    Call(method="GET", path="/openapi", endpoint=openapi.page, packed=True, part=None),
    Call(method="GET", path="/runbook", endpoint=runbook.runbook, packed=True, part=None),
    Call(method="GET", path="/models", endpoint=models.models, part=None),
    Call(method="POST", path="/models/reload", endpoint=models.reload_all, guarded=True),
    Call(method="POST", path="/models/reload/{model_type}/{alias}", endpoint=models.reload_one, guarded=True),
    Call(method="POST", path="/internal/promotion/report", endpoint=promotion.report, guarded=True),
    Call(method="GET", path="/internal/promotion/history", endpoint=promotion.history, packed=True),
    Call(method="GET", path="/internal/promotion/history/{id}", endpoint=promotion.history_row, packed=True),
    Call(method="GET", path="/internal/promotion/event_totals", endpoint=promotion.event_totals),
    Call(method="POST", path="/internal/promotion/cycle", endpoint=cycles.cycle, guarded=True),
    Call(method="POST", path="/internal/promotion/pin", endpoint=orders.pin, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/unpin", endpoint=orders.unpin, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/swap", endpoint=orders.swap, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/undo", endpoint=orders.undo, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/approve", endpoint=orders.approve, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/reject", endpoint=orders.reject, guarded=True, ordered=True),
    Call(method="POST", path="/internal/promotion/cancel", endpoint=orders.cancel, guarded=True, ordered=True),
    Call(method="GET", path="/internal/promotion/status", endpoint=promotion.status, packed=True),
    Call(method="POST", path="/internal/training/complete", endpoint=training.complete, guarded=True),
    Call(method="POST", path="/internal/mlflow/webhook", endpoint=mlflow_webhook, signed=True),
    Call(method="GET", path="/internal/ledger/events", endpoint=feed.events, packed=True, secret=True),
    Call(method="GET", path="/internal/ledger/stream", endpoint=event_stream.stream, secret=True, endless=True),
    Call(method="GET", path="/internal/grafana", endpoint=grafana.root),
    Call(method="POST", path="/internal/grafana/metrics", endpoint=grafana.metrics),
    Call(method="POST", path="/internal/grafana/metric-payload-options", endpoint=grafana.payload_options),
    Call(method="POST", path="/internal/grafana/query", endpoint=grafana.query),
    Call(method="POST", path="/internal/grafana/variable", endpoint=grafana.variable),
)
