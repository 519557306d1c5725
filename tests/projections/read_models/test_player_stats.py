from collections import Counter

import pytest
from hypothesis import given, settings

from ledger.events import Event, GameFinished, GameStarted, RoundPlayed
from ledger.vocabulary import PlayerKind, Winner
from projections.read_models import player_stats
from projections.read_models.player_stats import Games, PlayerStats, Stats
from tests.builders import game_abandoned, game_finished, game_started, round_played
from tests.histories import histories
from tests.projections.stories import BEGIN_US, SECOND_US, entries, folded

SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}


def counted(*events: Event, since_us: int = 0) -> PlayerStats:
    return folded(player_stats.projection(since_us), *events)


def game(number: int, winner: Winner, **labels: object) -> list[Event]:
    """A game of two events, the second at the second `2 * number + 1`."""
    named = {"game_id": f"g{number}", **labels}
    return [game_started(**named, player_id="ada"), game_finished(**named, winner=winner)]


def games(*winners: Winner) -> list[Event]:
    return [event for number, winner in enumerate(winners) for event in game(number, winner)]


def test_rounds_and_games_are_counted_by_their_result() -> None:
    found = counted(
        game_started(player_id="ada"),
        round_played(result="win"),
        round_played(round=2, result="lose"),
        round_played(round=3, result="draw"),
        round_played(round=4, result="lose"),
        game_finished(winner="bot"),
    )

    stats = found.of("ada")
    assert (stats.rounds, stats.rounds_won, stats.rounds_lost, stats.rounds_drawn) == (4, 1, 2, 1)
    assert stats.games == stats.opponents["brian"] == Games(losses=1)
    assert found.playing == {}


def test_a_round_counts_before_its_game_has_ended() -> None:
    assert counted(game_started(player_id="ada"), round_played(result="win")).of("ada").rounds_won == 1


def test_a_player_who_has_not_played_has_zeros() -> None:
    assert counted(game_started(player_id="ada")).of("bea") == Stats()


@pytest.mark.parametrize("kind", ["bot", "script"])
def test_only_people_are_counted(kind: PlayerKind) -> None:
    labels = {"player_kind": kind}

    assert counted(game_started(**labels), round_played(), game_finished(**labels)) == PlayerStats()


def test_test_games_are_left_out() -> None:
    labels = {"in_metrics": False}

    assert counted(game_started(**labels), round_played(**labels), game_finished(**labels)) == PlayerStats()


def test_an_abandoned_game_is_none_and_ends_no_run() -> None:
    left: list[Event] = [game_started(game_id="left", player_id="ada"), game_abandoned(game_id="left")]

    found = counted(*games("user"), *left, *game(2, "user"))

    assert found.of("ada").games.games == 2
    assert found.of("ada").games.current_streak == 2
    assert found.playing == {}


@pytest.mark.parametrize(
    ("winners", "streak", "current"),
    [
        (["user", "user", "bot", "user"], 2, 1),
        (["user", "tie", "user", "user"], 2, 2),
        (["bot", "tie"], 0, 0),
        (["user", "user", "user", "bot"], 3, 0),
    ],
)
def test_a_loss_and_a_tie_end_a_run_of_wins(winners: list[Winner], streak: int, current: int) -> None:
    found = counted(*games(*winners)).of("ada").games

    assert (found.streak, found.current_streak) == (streak, current)
    wins = [number for number, winner in enumerate(winners) if winner == "user"]
    assert found.last_win_us == (BEGIN_US + (2 * wins[-1] + 1) * SECOND_US if wins else None)


def test_a_run_against_one_opponent_goes_on_after_a_loss_against_another() -> None:
    found = counted(*game(0, "user"), *game(1, "bot", **SCRIPTED), *game(2, "user")).of("ada")

    assert found.opponents["brian"].current_streak == 2
    assert found.games.streak == found.games.current_streak == 1


def test_events_count_by_their_own_time() -> None:
    """A game that began before the date is counted from its first round after it."""
    found = counted(
        game_started(player_id="ada"),
        round_played(result="win"),
        round_played(round=2, result="draw"),
        game_finished(winner="user"),
        since_us=BEGIN_US + 2 * SECOND_US,
    ).of("ada")

    assert (found.rounds, found.rounds_drawn, found.games.wins) == (1, 1, 1)


@settings(max_examples=40)
@given(history=histories())
def test_the_totals_are_those_of_the_log(history: list[Event]) -> None:
    people = {event.game_id for event in history if isinstance(event, GameStarted) and event.in_metrics}
    finished = [one for _, one in entries(history) if isinstance(one, GameFinished) and one.game_id in people]
    rounds = [one for _, one in entries(history) if isinstance(one, RoundPlayed) and one.game_id in people]

    found = counted(*history).players.values()

    assert sum(stats.rounds for stats in found) == len(rounds)
    assert sum(stats.games.games for stats in found) == len(finished)
    won = Counter(one.policy for one in finished if one.winner == "user")
    by_opponent = Counter[str]()
    for stats in found:
        by_opponent.update({policy: played.wins for policy, played in stats.opponents.items() if played.wins})
    assert by_opponent == won
