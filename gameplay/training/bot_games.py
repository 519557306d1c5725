"""Games between two bots, played out in memory: the first data that models learn from."""

import random
from collections.abc import Iterator
from itertools import cycle, islice, product

from gameplay.game.bots import scripted_move, view_of
from gameplay.game.games import Game, decide_round, evolve
from gameplay.game.rules import round_points
from ledger.errors import LedgerError
from ledger.events import Event, GameStarted
from ledger.ids import new_id
from ledger.store import Ledger
from ledger.streams import game_stream
from ledger.vocabulary import BOTS, BotName

GAMES_A_COMMIT = 50
SEED_BITS = 53


def play_bot_games(ledger: Ledger, games: int, rng: random.Random) -> Iterator[int]:
    """Let every bot play every bot in turn until there are `games` games; yields how many are written."""
    pairs = islice(cycle(product(BOTS, BOTS)), games)
    written = 0
    while chunk := list(islice(pairs, GAMES_A_COMMIT)):
        batch = [bot_game(user, opponent, rng) for user, opponent in chunk]
        outcomes = ledger.append_all(
            [ledger.prepare(game_stream(started.game_id), [started, *events], 0) for started, events in batch]
        )
        assert not any(isinstance(outcome, LedgerError) for outcome in outcomes), "a new stream is its own"
        written += len(batch)
        yield written


def bot_game(user: BotName, opponent: BotName, rng: random.Random) -> tuple[GameStarted, list[Event]]:
    """One game: its start, and all that followed to its end."""
    game_id, user_seed = new_id(), rng.getrandbits(SEED_BITS)
    started = GameStarted(
        game_id=game_id,
        player_kind="bot",
        player_id=user,
        policy=opponent,
        model_type="scripted",
        alias=None,
        model_version=None,
        assignment=None,
        swap_count=0,
        assignment_probability=0.0,
        difficulty="standard",
        opening=None,
        bot_seed=rng.getrandbits(SEED_BITS),
        in_metrics=True,
    )
    return started, play_out(started, user, user_seed)


def play_out(started: GameStarted, user: BotName, user_seed: int) -> list[Event]:
    """All that follows the start of a game between bots, to its end."""
    game = Game(started)
    events: list[Event] = []
    while game.finished is None:
        points = round_points(started.game_id, game.next_round)
        user_move = scripted_move(user, user_seed, view_of(game.past, points, "user"))
        for event in decide_round(game, user_move, ()):
            evolve(game, event)
            events.append(event)
    return events
