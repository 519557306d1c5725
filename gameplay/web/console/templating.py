"""The templates, the static files that they name, and the headers of every page."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from gameplay.config import Settings
from gameplay.serving.process_metrics import VERSION
from gameplay.web.console import formats
from gameplay.web.console.assets import Asset
from ledger.vocabulary import DECISIONS
from projections.decision.rules import KNOWN_RULES


class Pages:
    """What every page is rendered with; made once."""

    def __init__(self, settings: Settings, assets: Mapping[str, Asset]) -> None:
        self.assets = assets
        self.headers = _headers(settings.frame_ancestors)
        # Every value is text: a player's name may hold what a browser would run.
        self._templates = Environment(
            loader=PackageLoader("gameplay.web.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(formats.FILTERS)
        masked = settings.masking()
        grafana = settings.grafana_dashboard_url
        self._templates.globals.update(
            percents=formats.percents,
            policy_of=formats.POLICY_OF,
            decisions=DECISIONS,
            rules=KNOWN_RULES,
            version=VERSION,
            grafana=masked(grafana) if grafana else None,
            needs_token=settings.internal_token is not None,
        )

    def render(self, request: Request, template: str, page: object) -> str:
        """The page as HTML."""
        root = str(request.scope.get("root_path", ""))
        as_of = getattr(page, "as_of", None)
        past = [("at", str(as_of.position))] if as_of is not None and as_of.is_past else []
        query = [(name, text) for name, text in request.query_params.multi_items() if name != "at"]
        return self._templates.get_template(template).render(
            page=page,
            root=root,
            here=request.url.path.removeprefix(root),
            # A person who looks back goes on looking back: links within the console keep the position.
            at=_search(past),
            query=query,
            search=_search([*past, *query]),
            asset=lambda name: f"{root}/static/{name}?v={self.assets[name].tag}",
        )


def _search(query: Sequence[tuple[str, str]]) -> str:
    return f"?{urlencode(query)}" if query else ""


def _headers(frame_ancestors: str) -> Mapping[str, str]:
    policy = (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        f"frame-ancestors {frame_ancestors}",
        "object-src 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-cache",
        "Vary": "Accept",
    }
