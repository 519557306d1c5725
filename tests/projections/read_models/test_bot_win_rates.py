import pytest

from ledger.events import Event
from ledger.vocabulary import MODEL_TYPE_OF_OPPONENT
from projections.read_models import bot_win_rates
from projections.read_models.bot_win_rates import BotWinRates, Outcomes
from tests.builders import game_abandoned, game_finished
from tests.projections.stories import BEGIN_US, SECOND_US, folded

SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}


def counted(*events: Event, since_us: int = 0) -> BotWinRates:
    return folded(bot_win_rates.projection(since_us), *events)


def test_games_are_counted_by_opponent_and_winner() -> None:
    found = counted(
        game_finished(game_id="g1", winner="bot"),
        game_finished(game_id="g2", winner="user"),
        game_finished(game_id="g3", winner="bot"),
        game_finished(game_id="g4", winner="tie"),
        game_finished(game_id="g5", winner="user", **SCRIPTED),
    )

    assert found.of("brian", people_only=True) == Outcomes(bot_wins=2, player_wins=1, ties=1)
    assert found.of("gus", people_only=True) == Outcomes(player_wins=1)
    assert found.of("brian", people_only=True).games == 4


def test_people_are_told_from_bots_and_scripts() -> None:
    found = counted(
        game_finished(game_id="g1", player_kind="human", winner="user"),
        game_finished(game_id="g2", player_kind="bot", winner="bot"),
        game_finished(game_id="g3", player_kind="script", winner="tie"),
    )

    assert found.of("brian", people_only=True) == Outcomes(player_wins=1)
    assert found.of("brian", people_only=False) == Outcomes(bot_wins=1, player_wins=1, ties=1)


@pytest.mark.parametrize("event", [game_finished(in_metrics=False), game_abandoned()])
def test_test_games_and_abandoned_ones_are_left_out(event: Event) -> None:
    assert counted(event) == BotWinRates()


def test_games_count_from_the_date_on() -> None:
    early, late = game_finished(game_id="g1", winner="bot"), game_finished(game_id="g2", winner="bot")

    found = counted(early, late, since_us=BEGIN_US + SECOND_US)

    assert found.of("brian", people_only=True).bot_wins == 1


@pytest.mark.parametrize("policy", MODEL_TYPE_OF_OPPONENT)
def test_every_opponent_is_there_at_zero(policy: str) -> None:
    assert counted().of(policy, people_only=False) == Outcomes()
