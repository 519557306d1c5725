"""Games of a scripted player against a version that has just been fitted, in memory, before it is registered.

How well a player is read depends on who plays against them: cal changes his ways after three losses in a row.
Others have played the games that a version learned from, so what was held out of them says little about its own,
and at a set-up no version has played any.
"""

import random
from collections.abc import Sequence
from typing import Final

import numpy as np

from gameplay.game.bots import scripted_move, view_of
from gameplay.game.features import features
from gameplay.game.games import Game, Prediction, decide_round, evolve
from gameplay.game.openings import draw_opening
from gameplay.game.rules import round_points
from gameplay.models.artifacts import Score
from gameplay.models.graph import Graph, normalised
from ledger.events import GameStarted
from ledger.facts import Probabilities
from ledger.vocabulary import MOVES, POLICY_OF_FAMILY, BotName, Family, Move

PLAYER: Final[BotName] = "cal"
GAMES: Final = 100
"""Some 900 rounds in a tenth of a second: enough that a comparison is about the live rounds."""


def rehearse(graph: Graph, family: Family, onnx_digest: str, player: BotName = PLAYER) -> Score:
    """The rounds in which the version chose the move, and in how many of them it had read the player."""
    hits = [
        _likeliest(game.served[played.round]) == played.user_move
        for game in rehearsed_games(graph, family, onnx_digest, player, GAMES)
        for played in game.rounds
        if played.probability_source == "model"
    ]
    return Score(sum(hits), len(hits))


def rehearsed_games(
    graph: Graph, family: Family, onnx_digest: str, player: BotName, games: int
) -> tuple[Game, ...]:
    """So many games of the player's against the version's policy, each to its end.

    Ids, openings and the player's chance come from the digest: the same version plays the same games for ever.
    """
    begun = tuple(_begin(family, f"rehearsal-{onnx_digest}-{player}-{number}", player) for number in range(games))
    running = begun
    while running:
        for game, predictions in zip(running, _predictions(graph, running), strict=True):
            for event in decide_round(game, _move(game, player), predictions):
                evolve(game, event)
        running = tuple(game for game in running if game.finished is None)
    return begun


def _begin(family: Family, game_id: str, player: BotName) -> Game:
    started = GameStarted(
        game_id=game_id,
        player_kind="bot",
        player_id=player,
        policy=POLICY_OF_FAMILY[family],
        model_type=family,
        alias="Production",
        model_version=1,
        assignment=None,
        swap_count=0,
        assignment_probability=1.0,
        difficulty="standard",
        opening=draw_opening(random.Random(game_id)).name,
        bot_seed=None,
        in_metrics=False,
    )
    return Game(started)


def _move(game: Game, player: BotName) -> Move:
    game_id = game.started.game_id
    view = view_of(game.past, round_points(game_id, game.next_round), "user")
    # A script is seeded by a number; only those that leave something to chance look at it.
    return scripted_move(player, random.Random(game_id).getrandbits(53), view)


def _predictions(graph: Graph, games: Sequence[Game]) -> list[tuple[Prediction, ...]]:
    """What the version expects in each game's next round. All are in the same round, and one call scores them."""
    if not games[0].needs_predictions():
        return [()] * len(games)
    rows = [features(game.past, round_points(game.started.game_id, game.next_round)) for game in games]
    each = [normalised(scores) for scores in graph.scores(np.array(rows, dtype=np.float32)).tolist()]
    return [
        (Prediction("Production", 1, probabilities, _likeliest(probabilities), "model"),) for probabilities in each
    ]


def _likeliest(probabilities: Probabilities) -> Move:
    return MOVES[probabilities.index(max(probabilities))]
