"""Whole games between bots, the same ones in every run."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from gameplay.training.bot_games import play_out
from ledger.events import Event, GameStarted
from ledger.store import Ledger
from ledger.streams import game_stream
from ledger.vocabulary import BotName
from tests.builders import game_started


def started(game_id: str, player: BotName, opponent: BotName, **changes: Any) -> GameStarted:
    """A bot sits down to play another."""
    return replace(
        game_started(
            game_id=game_id,
            player_kind="bot",
            player_id=player,
            policy=opponent,
            model_type="scripted",
            alias=None,
            model_version=None,
            assignment=None,
            opening=None,
            bot_seed=len(game_id) + sum(map(ord, game_id)),
        ),
        **changes,
    )


def play(start: GameStarted, player: BotName, seed: int = 5) -> list[Event]:
    """Everything that follows the start of a game, to its end."""
    return play_out(start, player, seed)


def write_games(ledger: Ledger, players: Iterable[BotName], games: int, *, opponent: BotName = "gus") -> None:
    """So many games of each player, in turn."""
    appends = []
    for number in range(games):
        for player in players:
            start = started(f"{player}-{opponent}-{number}", player, opponent)
            events = [start, *play(start, player, seed=number)]
            appends.append(ledger.prepare(game_stream(start.game_id), events, 0))
    ledger.append_all(appends)
