import pytest

from gameplay.web.console.withheld import game_of, is_open, withheld_of
from ledger.events import Event
from ledger.store import Ledger
from ledger.streams import game_stream, shadow_stream
from tests.builders import game_abandoned, game_finished, game_started, prediction_made, round_played

STARTED, PREDICTED = "game.started", "game.prediction_made"


def test_the_opening_the_seed_and_predictions_are_withheld_while_a_game_goes_on(ledger: Ledger) -> None:
    ledger.append(game_stream("g1"), [game_started(), round_played(), prediction_made()], 0)

    assert is_open(ledger, "g1")
    assert withheld_of(ledger, game_stream("g1"), STARTED) == {"opening", "bot_seed"}
    assert withheld_of(ledger, game_stream("g1"), PREDICTED) == {"probabilities", "predicted", "correct"}
    assert withheld_of(ledger, shadow_stream("g1"), PREDICTED) == {"probabilities", "predicted", "correct"}
    assert withheld_of(ledger, game_stream("g1"), "game.round_played") == frozenset()


@pytest.mark.parametrize("end", [game_finished(), game_abandoned()])
def test_nothing_is_withheld_when_the_game_has_ended(ledger: Ledger, end: Event) -> None:
    ledger.append(game_stream("g1"), [game_started(), end], 0)

    assert withheld_of(ledger, game_stream("g1"), STARTED) == frozenset()
    assert withheld_of(ledger, shadow_stream("g1"), PREDICTED) == frozenset()


def test_a_stream_knows_its_game() -> None:
    assert game_of("game-g1") == game_of("shadow-g1") == "g1"
    assert game_of("promotion-xgboost") is None
