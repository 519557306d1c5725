from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings

from ledger.events import Event, GameStarted
from projections.read_models import open_games
from projections.read_models.open_games import GameKind, OpenGame, OpenGames
from tests.builders import assignment, game_abandoned, game_finished, game_started, prediction_made, round_played
from tests.histories import histories
from tests.projections.stories import folded

PLAYER = game_started().player_id


def opened(*events: Event) -> OpenGames:
    return folded(open_games.projection(), *events)


def test_a_game_is_open_from_its_start_on() -> None:
    found = opened(game_started(game_id="g1"))

    assert found.games == {"g1": OpenGame(1, PLAYER, 1)}
    assert found.kinds == {1: GameKind(True, "feedforward_nn", assignment(), games=1)}


def test_a_game_was_last_touched_by_its_newest_round() -> None:
    found = opened(game_started(game_id="g1"), game_started(game_id="g2"), round_played(game_id="g1"))

    assert found.games["g1"].last_position == 3
    assert found.games["g2"].last_position == 2
    assert list(found.games) == ["g1", "g2"]


def test_a_prediction_that_comes_late_touches_no_game() -> None:
    found = opened(game_started(), game_finished(), prediction_made())

    assert found.games == {}


@pytest.mark.parametrize("end", [game_finished(), game_abandoned(), game_finished(fallback_affected=True)])
def test_a_game_is_open_until_it_ends(end: Event) -> None:
    assert opened(game_started(), round_played(), end).games == {}


def test_a_player_has_as_many_games_as_are_open() -> None:
    events: list[Event] = [
        game_started(game_id="g1", player_id="ada"),
        game_started(game_id="g2", player_id="ada"),
        game_started(game_id="g3", player_id="bea"),
    ]
    ends: list[Event] = [game_finished(game_id="g1"), game_abandoned(game_id="g3")]

    assert opened(*events).players == {"ada": 2, "bea": 1}
    assert opened(*events, *ends).players == {"ada": 1}


def test_test_games_are_open_and_excluded_from_metrics() -> None:
    found = opened(
        game_started(game_id="g1"), game_started(game_id="g2", in_metrics=False), game_started(game_id="g3")
    )

    assert set(found.games) == {"g1", "g2", "g3"}
    assert found.active() == 2


@settings(max_examples=60)
@given(history=histories())
def test_the_counts_are_those_of_the_games_one_by_one(history: list[Event]) -> None:
    found = opened(*history)
    started = {event.game_id: event for event in history if isinstance(event, GameStarted)}
    games = [started[game_id] for game_id in found.games]

    assert found.active() == sum(game.in_metrics for game in games)
    assert found.players == Counter(game.player_id for game in games)
    assert sum(kind.games for kind in found.kinds.values()) == len(games)
    for game in games:
        kind = found.kinds[found.games[game.game_id].kind]
        shared = kind.in_metrics, kind.model_type, kind.assignment
        assert shared == (game.in_metrics, game.model_type, game.assignment)


def test_a_game_that_an_edited_log_starts_twice_is_one_game() -> None:
    found = opened(game_started(player_id="ada"), game_started(player_id="bea", in_metrics=False))

    assert (len(found.games), found.players, found.active()) == (1, {"bea": 1}, 0)


def test_games_share_what_is_not_their_own() -> None:
    """By far the most of a start is, and a hundred thousand games may be open."""
    found = opened(*(game_started(game_id=f"{number:036}", player_id="ada") for number in range(100)))

    assert len(found.kinds) == 1
    assert len({id(game.player_id) for game in found.games.values()}) == 1
    assert len(msgspec.msgpack.encode(found)) < 100 * 80


def test_versions_are_those_of_the_games_that_are_open() -> None:
    found = opened(
        game_started(game_id="g1", assignment=assignment((1, 2, 3, 4))),
        game_started(game_id="g2", assignment=assignment((2, 5, 3, 6))),
        game_started(game_id="g3", assignment=assignment((7, 8, 9, 10))),
        game_finished(game_id="g3"),
        game_started(game_id="g4", policy="gus", model_type="scripted", assignment=None),
    )

    assert found.versions("feedforward_nn") == {1, 2, 3, 4, 5, 6}
    assert found.versions("xgboost") == set()
