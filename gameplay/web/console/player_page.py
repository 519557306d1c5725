"""/players/<id>: one person's rounds and games, by opponent."""

from functools import partial

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gameplay.refusals import NotFound
from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.pages import respond
from gameplay.web.games import ANONYMOUS
from gameplay.web.players import names_for, since
from ledger.times import show_time
from projections.read_models.player_stats import Games


class Results(Struct, frozen=True, kw_only=True):
    """Finished games, and wins in a row among them. `win_rate` counts ties as games, and is null without games."""

    total_games: int
    wins: int
    losses: int
    ties: int
    win_rate: float | None
    streak: int
    current_streak: int
    last_win: str | None


class Rounds(Struct, frozen=True, kw_only=True):
    """Rounds by the player's result."""

    rounds: int
    wins: int
    losses: int
    draws: int


class PlayerPage(Struct, frozen=True, kw_only=True):
    """One person, of games and rounds recorded at `since` or later. `opponents` come in the order first met."""

    as_of: AsOf
    since: str
    player_id: str
    player_name: str
    rounds: Rounds
    games: Results
    opponents: dict[str, Results]


async def player(request: Request) -> Response:
    """GET /players/{player_id}."""
    player_id = str(request.path_params["player_id"])
    page = await look(request, partial(build, player_id=player_id, since=since(request)))
    names = await names_for(request, [player_id])
    return respond(request, "player.html", structs.replace(page, player_name=names[player_id]))


def build(_service: Service, looked: Looked, *, player_id: str, since: str) -> PlayerPage:
    """The page without the name. Raises NotFound for a player of whom nothing is counted."""
    stats = looked.states.player_stats.players.get(player_id)
    if stats is None:
        raise NotFound(f"no person {player_id!r} has played a round that counts, up to this position")
    return PlayerPage(
        as_of=looked.as_of,
        since=since,
        player_id=player_id,
        player_name=ANONYMOUS,
        rounds=Rounds(
            rounds=stats.rounds, wins=stats.rounds_won, losses=stats.rounds_lost, draws=stats.rounds_drawn
        ),
        games=_results(stats.games),
        opponents={opponent: _results(games) for opponent, games in stats.opponents.items()},
    )


def _results(games: Games) -> Results:
    return Results(
        total_games=games.games,
        wins=games.wins,
        losses=games.losses,
        ties=games.ties,
        win_rate=games.wins / games.games if games.games else None,
        streak=games.streak,
        current_streak=games.current_streak,
        last_win=show_time(games.last_win_us) if games.last_win_us is not None else None,
    )
