import pytest

from gameplay.game.bots import scripted_move, view_of
from gameplay.game.games import Game
from gameplay.game.policies import choose
from gameplay.game.rules import round_points
from gameplay.models.graph import Graph
from gameplay.training.rehearsal import rehearse, rehearsed_games
from ledger.vocabulary import BOTS, FAMILIES, MOVES, POLICY_OF_FAMILY, BotName, Family
from tests.gameplay.graphs import constant_graph, first_feature_graph


def games_of(name: str, player: BotName = "cal", family: Family = "xgboost") -> tuple[Game, ...]:
    return rehearsed_games(Graph(first_feature_graph()), family, name, player, 5)


@pytest.mark.parametrize("player", ["cal", "gus"])
def test_the_same_version_plays_the_same_games(player: BotName) -> None:
    once = [game.rounds for game in games_of("a digest", player)]

    assert once == [game.rounds for game in games_of("a digest", player)]
    assert once != [game.rounds for game in games_of("another digest", player)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_game_is_played_to_its_end_with_the_familys_policy(family: Family) -> None:
    for game in games_of("a digest", family=family):
        assert game.finished is not None
        assert game.started.policy == POLICY_OF_FAMILY[family]
        assert not game.fallback_affected
        sources = [played.probability_source for played in game.rounds]
        assert sources == ["opening"] * 3 + ["model"] * (len(sources) - 3)


@pytest.mark.parametrize("player", BOTS)
def test_the_player_sees_the_game_from_his_side_and_the_version_plays_by_what_it_expects(player: BotName) -> None:
    for game in games_of("a digest", player):
        for index, played in enumerate(game.rounds):
            past = game.past[:index]
            points = round_points(game.started.game_id, index + 1)
            if player == "cal":  # the others' chance is the rehearsal's own
                assert played.user_move == scripted_move("cal", 0, view_of(past, points, "user"))
            if index >= 3:
                scores = (past[-1].user_score_tenths, past[-1].bot_score_tenths)
                assert played.bot_move == choose(game.served[index + 1], points, *scores)


@pytest.mark.parametrize("expected", range(3), ids=MOVES)
def test_the_score_is_of_the_rounds_that_the_version_played(expected: int) -> None:
    graph = Graph(constant_graph([0.8 if index == expected else 0.1 for index in range(3)]))
    moves = [
        played.user_move
        for game in rehearsed_games(graph, "xgboost", "a digest", "cal", 100)
        for played in game.rounds[3:]
    ]

    score = rehearse(graph, "xgboost", "a digest")

    assert score.rows == len(moves) > 500
    assert score.correct == moves.count(MOVES[expected]) > 0
