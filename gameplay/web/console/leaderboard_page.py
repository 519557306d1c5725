"""/leaderboard: who wins most, who wins in a row, and how the bots fare against people."""

from collections.abc import Mapping

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gameplay.serving.service import Service
from gameplay.web.console.as_of import AsOf, Looked, look
from gameplay.web.console.pages import respond
from gameplay.web.games import ANONYMOUS
from gameplay.web.players import BotRate, StreakRow, asked_limit, bot_rates, names_for, since, streak_rows
from ledger.vocabulary import Opponent
from projections.read_models.leaderboard import GAMES_MIN, Place
from projections.read_models.leaderboard import leaderboard as places


class Row(Struct, frozen=True, kw_only=True):
    """A place on the leaderboard. `win_rate` is a share of all games, ties included."""

    rank: int
    player_id: str
    player_name: str
    total_games: int
    wins: int
    losses: int
    ties: int
    win_rate: float


class Leaderboard(Struct, frozen=True, kw_only=True):
    """People alone, of games that ended at `since` or later; a place takes `games_min` of them."""

    as_of: AsOf
    since: str
    games_min: int
    leaderboard: tuple[Row, ...]
    streaks: tuple[StreakRow, ...]
    bot_rates: dict[Opponent, BotRate]


async def leaderboard(request: Request) -> Response:
    """GET /leaderboard."""
    limit, counted_since = asked_limit(request), since(request)

    def build(_service: Service, looked: Looked) -> Leaderboard:
        states = looked.states
        return Leaderboard(
            as_of=looked.as_of,
            since=counted_since,
            games_min=GAMES_MIN,
            leaderboard=tuple(map(_row, places(states.player_stats, limit))),
            streaks=streak_rows(states.player_stats, limit),
            bot_rates=bot_rates(states.bot_win_rates, people_only=True),
        )

    page = await look(request, build)
    shown = {row.player_id for row in page.leaderboard} | {row.player_id for row in page.streaks}
    return respond(request, "leaderboard.html", _named(page, await names_for(request, shown)))


def _row(place: Place) -> Row:
    games = place.games
    return Row(
        rank=place.rank,
        player_id=place.player_id,
        player_name=ANONYMOUS,
        total_games=games.games,
        wins=games.wins,
        losses=games.losses,
        ties=games.ties,
        win_rate=games.wins / games.games,
    )


def _named(page: Leaderboard, names: Mapping[str, str]) -> Leaderboard:
    """The page with the names that its players have now, wherever in the past it looks."""
    return structs.replace(
        page,
        leaderboard=tuple(structs.replace(row, player_name=names[row.player_id]) for row in page.leaderboard),
        streaks=tuple(structs.replace(row, username=names[row.player_id]) for row in page.streaks),
    )
