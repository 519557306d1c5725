"""/games/<id>: a game round by round, and once it has ended, what each alias had expected."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.game import players
from gameplay.game.answers import MoveValues
from gameplay.refusals import NotFound
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, look_through
from gameplay.web.console.family_cards import Rate, rate
from gameplay.web.console.pages import respond
from gameplay.web.console.withheld import is_open
from ledger.entries import Entry
from ledger.events import (
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    InferenceFellBack,
    PredictionMade,
    RoundPlayed,
)
from ledger.streams import game_stream, shadow_stream
from ledger.times import show_time
from ledger.vocabulary import ALIASES, Move, Result, Winner

Status = Literal["open", "finished", "abandoned"]
Happened = Sequence[tuple[Entry, Event]]


class Expected(Struct, frozen=True, kw_only=True):
    """What one alias of a family expected the player to do. `served`: it chose the bot's move."""

    family: str
    alias: str
    version: int
    probabilities: MoveValues
    predicted: Move
    correct: bool
    served: bool


class RoundShown(Struct, frozen=True, kw_only=True):
    """One round, in points. `expected` is empty while the game goes on."""

    round: int
    position: int
    recorded: str
    user_move: Move
    bot_move: Move
    result: Result
    points: MoveValues
    user_delta: float
    bot_delta: float
    user_score: float
    bot_score: float
    source: str
    expected: tuple[Expected, ...]
    fallbacks: tuple[str, ...]


class Predictor(Struct, frozen=True, kw_only=True):
    """How often one alias was right in the whole game, and how sure it was of what it predicted, on average."""

    family: str
    alias: str
    version: int
    served: bool
    correct: Rate
    confidence: float


class GamePage(Struct, frozen=True, kw_only=True):
    """A game. Its opening, seed and predictions are null and empty while it goes on."""

    as_of: AsOf
    game_id: str
    status: Status
    policy: str
    model_type: str
    alias: str | None
    version: int | None
    player_kind: str
    player_id: str
    player_name: str | None
    in_metrics: bool
    started: str
    started_position: int
    last_position: int
    opening: str | None
    bot_seed: int | None
    winner: Winner | None
    idle_seconds: int | None
    fallback_affected: bool
    user_score: float
    bot_score: float
    rounds: tuple[RoundShown, ...]
    predictors: tuple[Predictor, ...]


async def game(request: Request) -> Response:
    """GET /games/{game_id}."""
    game_id = str(request.path_params["game_id"])
    return respond(request, "game.html", await look_through(request, partial(build, game_id=game_id)))


def build(service: Service, as_of: AsOf, *, game_id: str) -> GamePage:
    """The game as it stood. Raises NotFound."""
    ledger = service.core.ledger
    entries = ledger.read_stream(game_stream(game_id))
    # Read first, asked afterwards: what was decoded of a game that has ended since may be shown.
    hidden = is_open(ledger, game_id)
    if not hidden:
        entries += ledger.read_stream(shadow_stream(game_id))
    seen = [(entry, ledger.decode(entry)) for entry in entries if entry.position <= as_of.position]
    if not seen or not isinstance(seen[0][1], GameStarted):
        raise NotFound(f"there is no game {game_id} up to position {as_of.position}")
    name = players.name_of(service.core.engine, seen[0][1].player_id)
    return _page(as_of, seen, seen[0][1], name, hidden=hidden)


def _page(as_of: AsOf, seen: Happened, started: GameStarted, name: str | None, *, hidden: bool) -> GamePage:
    end = next((event for _, event in seen if isinstance(event, GameFinished | GameAbandoned)), None)
    finished = end if isinstance(end, GameFinished) else None
    rounds = tuple(_rounds(seen, hidden=hidden))
    entry = seen[0][0]
    return GamePage(
        as_of=as_of,
        game_id=started.game_id,
        status="open" if end is None else "finished" if finished else "abandoned",
        policy=started.policy,
        model_type=started.model_type,
        alias=started.alias,
        version=started.model_version,
        player_kind=started.player_kind,
        player_id=started.player_id,
        player_name=name,
        in_metrics=started.in_metrics,
        started=show_time(entry.recorded_us),
        started_position=entry.position,
        last_position=max(entry.position for entry, _ in seen),
        opening=None if hidden else started.opening,
        bot_seed=None if hidden else started.bot_seed,
        winner=finished.winner if finished else None,
        idle_seconds=end.idle_seconds if isinstance(end, GameAbandoned) else None,
        fallback_affected=any(isinstance(event, InferenceFellBack) and event.served for _, event in seen),
        user_score=rounds[-1].user_score if rounds else 0.0,
        bot_score=rounds[-1].bot_score if rounds else 0.0,
        rounds=rounds,
        predictors=() if hidden else tuple(_predictors(seen)),
    )


def _rounds(seen: Happened, *, hidden: bool) -> list[RoundShown]:
    expected: dict[int, list[Expected]] = {}
    fallbacks: dict[int, list[str]] = {}
    for _, event in seen:
        if isinstance(event, PredictionMade) and not hidden:
            expected.setdefault(event.round, []).append(_expected(event))
        if isinstance(event, InferenceFellBack):
            fallbacks.setdefault(event.round, []).append(f"{event.alias}: {event.reason}")
    return [
        RoundShown(
            round=event.round,
            position=entry.position,
            recorded=show_time(entry.recorded_us),
            user_move=event.user_move,
            bot_move=event.bot_move,
            result=event.result,
            points=MoveValues(event.points.rock / 10, event.points.paper / 10, event.points.scissors / 10),
            user_delta=event.user_delta_tenths / 10,
            bot_delta=event.bot_delta_tenths / 10,
            user_score=event.user_score_tenths / 10,
            bot_score=event.bot_score_tenths / 10,
            source=event.probability_source,
            expected=tuple(sorted(expected.get(event.round, ()), key=_order)),
            fallbacks=tuple(fallbacks.get(event.round, ())),
        )
        for entry, event in seen
        if isinstance(event, RoundPlayed)
    ]


def _expected(event: PredictionMade) -> Expected:
    return Expected(
        family=event.model_type,
        alias=event.alias,
        version=event.model_version,
        probabilities=MoveValues(*event.probabilities),
        predicted=event.predicted,
        correct=event.correct,
        served=event.served,
    )


def _order(one: Expected) -> tuple[str, int]:
    return one.family, ALIASES.index(one.alias)


def _predictors(seen: Happened) -> list[Predictor]:
    made: dict[tuple[str, str, int], list[PredictionMade]] = {}
    for _, event in seen:
        if isinstance(event, PredictionMade):
            made.setdefault((event.model_type, event.alias, event.model_version), []).append(event)
    return [
        Predictor(
            family=family,
            alias=alias,
            version=version,
            served=any(one.served for one in events),
            correct=rate(sum(one.correct for one in events), len(events)),
            confidence=sum(max(one.probabilities) for one in events) / len(events),
        )
        for (family, alias, version), events in sorted(
            made.items(),
            key=lambda item: (item[0][0], ALIASES.index(item[0][1])),
        )
    ]
