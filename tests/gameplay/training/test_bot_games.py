import random

from gameplay.game.bots import scripted_move, view_of
from gameplay.game.games import fold
from gameplay.game.rules import round_points
from gameplay.training.bot_games import GAMES_A_COMMIT, bot_game, play_bot_games
from ledger.events import GameFinished, GameStarted
from ledger.store import Ledger
from ledger.vocabulary import BOTS
from projections.read_models.all import ReadModels


def test_so_many_games_are_written_in_batches(ledger: Ledger) -> None:
    games = GAMES_A_COMMIT + 20

    assert list(play_bot_games(ledger, games, random.Random(1))) == [GAMES_A_COMMIT, games]

    events = [ledger.decode(entry) for page in ledger.pages() for entry in page]
    started = [event for event in events if isinstance(event, GameStarted)]
    assert len(started) == sum(isinstance(event, GameFinished) for event in events) == games
    assert {(event.player_id, event.policy) for event in started} == {(user, bot) for user in BOTS for bot in BOTS}
    read_models = ReadModels(ledger)
    with read_models.projector.current():
        assert sum(read_models.counters.state.games.values()) == games
        assert read_models.open_games.state.games == {}
        assert sum(read_models.counters.state.alias_games.values()) == 0


def test_an_opponents_moves_can_be_recomputed_from_its_seed() -> None:
    started, events = bot_game("cal", "hal", random.Random(3))
    game = fold([started, *events])
    assert started.bot_seed is not None

    for number, played in enumerate(game.rounds):
        points = round_points(started.game_id, number + 1)
        assert played.bot_move == scripted_move(
            "hal", started.bot_seed, view_of(game.past[:number], points, "bot")
        )


def test_the_same_chance_gives_the_same_seeds() -> None:
    one, other = (bot_game("gus", "hal", random.Random(9))[0] for _ in range(2))

    assert one.bot_seed == other.bot_seed
    assert one.game_id != other.game_id
