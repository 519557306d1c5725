"""What each call about players takes and answers."""

from collections.abc import Mapping
from typing import Literal

from gameplay.web.console.leaderboard_page import Leaderboard
from gameplay.web.console.player_page import PlayerPage
from gameplay.web.description import HTML, JSON, Described, Parameter
from gameplay.web.players import BotRates, RoundStats, WinStreaks
from ledger.vocabulary import Opponent

_AT = Parameter("at", str, "1", "A position or a time; by default now.")
_LIMIT = Parameter("limit", int, 10, "Rows, 1 to 100.")
_FLAG = Literal["0", "1", "true", "false"]

PLAYERS: Mapping[tuple[str, str], Described] = {
    ("GET", "/leaderboard"): Described(
        summary="Who wins most, who wins in a row, and how the bots fare: people alone.",
        query=(_LIMIT, _AT),
        media=(JSON, HTML),
        answer=Leaderboard,
        errors=(400, 429),
    ),
    ("GET", "/players/{player_id}"): Described(
        summary="One person's rounds and games, by opponent.",
        path=(Parameter("player_id", str, "0199f3a0-5a1b-7c00-8000-000000000002"),),
        query=(_AT,),
        media=(JSON, HTML),
        answer=PlayerPage,
        errors=(400, 404, 429),
    ),
    ("GET", "/bot_win_rates"): Described(
        summary="How games against each bot end.",
        query=(
            Parameter("human_only", _FLAG, "true", "People alone; the default."),
            Parameter("easy_mode", _FLAG, "false", "The retired mode: no games."),
            _AT,
        ),
        answer=BotRates,
        errors=(400, 429),
    ),
    ("GET", "/win_streaks"): Described(
        summary="The longest runs of games won.",
        query=(Parameter("opponent", Opponent, "forrest", "Against one opponent."), _LIMIT, _AT),
        answer=WinStreaks,
        errors=(400, 429),
    ),
    ("GET", "/stats"): Described(
        summary="The rounds of a session, or of one game.",
        query=(
            Parameter("session_id", str, "5e1f7a", "A person's session."),
            Parameter(
                "game_id", str, "0199f3a0-5a1b-7c00-8000-000000000001", "A game; it comes before the session."
            ),
            _AT,
        ),
        answer=RoundStats,
        errors=(400, 404, 429),
    ),
}
