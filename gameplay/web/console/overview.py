"""/: every family, what has moved, who plays, and whether all is well."""

from functools import partial

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.service import Service
from gameplay.web import health
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.family_cards import FamilyCard, family_card
from gameplay.web.console.pages import respond, wants_page
from gameplay.web.state import masked_of, service_of
from ledger.masking import Masking
from ledger.times import show_time
from ledger.vocabulary import FAMILIES, Family
from projections.read_models.timeline import MINUTE_US, Line

LINES_SHOWN = 20
RATE_MINUTES = 5


class Moved(Struct, frozen=True, kw_only=True):
    """A line of the timeline: aliases that moved, a pin, or a training; `text` says what, `actor` who did."""

    position: int
    recorded: str
    family: Family
    kind: str
    cause: str | None
    text: str
    decided_position: int | None
    actor: str | None
    reason: str | None


class Health(Struct, frozen=True, kw_only=True):
    """Whether this process is ready now, and what is not as it should be."""

    ready: bool
    reasons: tuple[str, ...]


class Overview(Struct, frozen=True, kw_only=True):
    """The families and the service, at one position. `rounds_a_minute` is the mean of the last minutes."""

    as_of: AsOf
    families: tuple[FamilyCard, ...]
    timeline: tuple[Moved, ...]
    active_games: int
    rounds_a_minute: float
    games: int
    health: Health


async def root(request: Request) -> Response:
    """GET /: the overview for a browser; for everyone else what the service is."""
    shows = service_of(request).views is not None
    return await overview(request) if shows and wants_page(request) else await health.root(request)


async def overview(request: Request) -> Response:
    """GET /overview.json, and the page behind `/`."""
    return respond(request, "overview.html", await look(request, partial(build, masked=masked_of(request))))


def build(service: Service, looked: Looked, *, masked: Masking) -> Overview:
    """The overview."""
    states = looked.states
    minute = looked.now_us // MINUTE_US
    return Overview(
        as_of=looked.as_of,
        families=tuple(family_card(looked, family) for family in FAMILIES),
        timeline=tuple(map(as_moved, states.timeline.lines(LINES_SHOWN))),
        active_games=states.open_games.active(),
        rounds_a_minute=states.timeline.rounds_between(minute - RATE_MINUTES, minute) / RATE_MINUTES,
        games=sum(states.counters.games.values()),
        health=_health(service, masked),
    )


def _health(service: Service, masked: Masking) -> Health:
    missing = service.missing()
    problems = (
        *(f"the thread {name} died: {error}" for name, error in service.died().items()),
        *missing,
        *(f"the job {job} fails: {problem}" for job, problem in service.schedule.failing.items()),
        *(f"{family}: {problem}" for family, problem in service.problems().items()),
    )
    return Health(ready=not missing, reasons=tuple(map(masked, problems)))


def as_moved(line: Line) -> Moved:
    """The line in words."""
    if line.kind == "training":
        version = f"version {line.version}" if line.version else "no version"
        text = f"trained {version}" if line.status == "success" else "a training failed"
    elif line.kind in ("pin", "unpin"):
        text = f"{line.alias} held at v{line.version}" if line.kind == "pin" else f"{line.alias} held no more"
    else:
        text = ", ".join(
            f"{one.alias} v{one.after}" if one.before is None else f"{one.alias} v{one.before} \u2192 v{one.after}"
            for one in line.changes
        )
    return Moved(
        position=line.position,
        recorded=show_time(line.recorded_us),
        family=line.family,
        kind=line.kind,
        cause=line.cause,
        text=text,
        decided_position=line.decided_position,
        actor=line.actor,
        reason=line.reason,
    )
