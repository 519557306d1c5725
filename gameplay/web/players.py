"""What people have done, for programs: how bots fare, win streaks, and the rounds of a session or a game.

The ledger knows opaque ids alone. Names come from the side table when an answer is made, so that an erased name is
gone from all of them at once.
"""

from collections.abc import Collection
from functools import partial

from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from gameplay.game.games import fold
from gameplay.game.players import identify, names_of
from gameplay.refusals import NotFound, Refusal
from gameplay.serving.service import Service
from gameplay.web.bodies import answer
from gameplay.web.console.as_of import AsOf, Looked, look, look_through
from gameplay.web.games import ANONYMOUS
from gameplay.web.queries import choice, flag, one, whole
from gameplay.web.state import lanes_of, service_of
from ledger.streams import game_stream
from ledger.times import show_seconds
from ledger.vocabulary import MODEL_TYPE_OF_OPPONENT, POLICIES, Opponent
from projections.read_models.bot_win_rates import BotWinRates, Outcomes
from projections.read_models.player_stats import PlayerStats
from projections.read_models.win_streaks import Streak, win_streaks

LIMIT = 10
LIMIT_MAX = 100
OPPONENTS: tuple[Opponent, ...] = tuple(MODEL_TYPE_OF_OPPONENT)
FRESH = {"Cache-Control": "no-store"}


class BotRate(Struct, frozen=True, kw_only=True):
    """Games against one opponent; rates are shares of all of them, ties included, and null without games."""

    bot_win_rate: float | None
    human_win_rate: float | None
    human_games: int
    bot_wins: int
    human_wins: int
    ties: int


class BotRates(Struct, frozen=True, kw_only=True):
    """The answer to `/bot_win_rates`: by opponent, of games that ended at `since` or later."""

    bot_rates: dict[Opponent, BotRate]
    since: str


class StreakRow(Struct, frozen=True, kw_only=True):
    """One player's longest run of games won, and the run that goes on."""

    player_id: str
    username: str
    streak: int
    current_streak: int
    last_win_date: str | None
    total_games: int


class WinStreaks(Struct, frozen=True, kw_only=True):
    """The answer to `/win_streaks`."""

    players: tuple[StreakRow, ...]
    since: str


class RoundStats(Struct, frozen=True, kw_only=True):
    """The answer to `/stats`: rounds by the player's result, and finished games."""

    rounds: int
    wins: int
    losses: int
    draws: int
    games: int
    since: str


async def bot_win_rates(request: Request) -> Response:
    """GET /bot_win_rates."""
    eased = flag(request, "easy_mode")
    people_only = flag(request, "human_only", default=True)

    def build(_service: Service, looked: Looked) -> dict[Opponent, BotRate]:
        # The easy mode is retired: its games are none.
        state = BotWinRates() if eased else looked.states.bot_win_rates
        return bot_rates(state, people_only=people_only)

    return answer(BotRates(bot_rates=await look(request, build), since=since(request)), headers=FRESH)


async def streaks(request: Request) -> Response:
    """GET /win_streaks."""
    opponent, limit = choice(request, "opponent", OPPONENTS), asked_limit(request)

    def build(_service: Service, looked: Looked) -> tuple[StreakRow, ...]:
        return streak_rows(looked.states.player_stats, limit, opponent)

    rows = await look(request, build)
    names = await names_for(request, [row.player_id for row in rows])
    named = tuple(structs.replace(row, username=names[row.player_id]) for row in rows)
    return answer(WinStreaks(players=named, since=since(request)), headers=FRESH)


async def stats(request: Request) -> Response:
    """GET /stats?session_id= or ?game_id=; of both, the game is the narrower one."""
    session_id, game_id = one(request, "session_id"), one(request, "game_id")
    if game_id:
        found = await look_through(request, partial(_game_stats, game_id=game_id, since=since(request)))
    elif session_id:
        found = await look(request, partial(_session_stats, session_id=session_id, since=since(request)))
    else:
        raise Refusal("stats needs ?session_id= or ?game_id=")
    return answer(found, headers=FRESH)


def bot_rates(state: BotWinRates, *, people_only: bool) -> dict[Opponent, BotRate]:
    """Every policy's games, and those of a scripted opponent that has any."""
    found = {opponent: state.of(opponent, people_only=people_only) for opponent in OPPONENTS}
    return {
        opponent: _bot_rate(outcomes)
        for opponent, outcomes in found.items()
        if opponent in POLICIES or outcomes.games
    }


def streak_rows(state: PlayerStats, limit: int, opponent: Opponent | None = None) -> tuple[StreakRow, ...]:
    """The longest streaks, without names."""
    return tuple(map(_streak_row, win_streaks(state, limit, opponent=opponent)))


def asked_limit(request: Request) -> int:
    """How many rows."""
    return whole(request, "limit", LIMIT, 1, LIMIT_MAX)


def since(request: Request) -> str:
    """From when on games are counted."""
    return show_seconds(service_of(request).core.settings.metrics_since_us)


async def names_for(request: Request, player_ids: Collection[str]) -> dict[str, str]:
    """The names of these players as they are now."""
    names = await lanes_of(request).reads(names_of, service_of(request).core.engine, player_ids)
    return {player_id: names.get(player_id, ANONYMOUS) for player_id in player_ids}


def _bot_rate(outcomes: Outcomes) -> BotRate:
    games = outcomes.games
    return BotRate(
        bot_win_rate=outcomes.bot_wins / games if games else None,
        human_win_rate=outcomes.player_wins / games if games else None,
        human_games=games,
        bot_wins=outcomes.bot_wins,
        human_wins=outcomes.player_wins,
        ties=outcomes.ties,
    )


def _streak_row(streak: Streak) -> StreakRow:
    games = streak.games
    return StreakRow(
        player_id=streak.player_id,
        username=ANONYMOUS,
        streak=games.streak,
        current_streak=games.current_streak,
        last_win_date=show_seconds(games.last_win_us) if games.last_win_us is not None else None,
        total_games=games.games,
    )


def _session_stats(_service: Service, looked: Looked, *, session_id: str, since: str) -> RoundStats:
    """The rounds of the person whose session it is; a session that has not played has zeros."""
    found = looked.states.player_stats.of(identify(None, session_id).player_id)
    return RoundStats(
        rounds=found.rounds,
        wins=found.rounds_won,
        losses=found.rounds_lost,
        draws=found.rounds_drawn,
        games=found.games.games,
        since=since,
    )


def _game_stats(service: Service, as_of: AsOf, *, game_id: str, since: str) -> RoundStats:
    """The rounds of one game, whatever its player and its date: the caller has named it. Raises NotFound."""
    ledger = service.core.ledger
    entries = [entry for entry in ledger.read_stream(game_stream(game_id)) if entry.position <= as_of.position]
    if not entries:
        raise NotFound(f"there is no game {game_id!r} up to position {as_of.position}")
    game = fold([ledger.decode(entry) for entry in entries])
    results = [played.result for played in game.rounds]
    return RoundStats(
        rounds=len(results),
        wins=results.count("win"),
        losses=results.count("lose"),
        draws=results.count("draw"),
        games=int(game.finished is not None),
        since=since,
    )
