from ledger.events import EVENT_CLASSES
from ledger.ids import new_id
from ledger.store import Ledger
from ledger.streams import game_stream, is_shadow, promotion_stream, shadow_stream, stream_of
from tests.builders import models_reloaded, one_of_each, training_completed


def test_every_event_has_a_stream() -> None:
    streams = {type(event): stream_of(event) for event in one_of_each()}

    assert streams.keys() == set(EVENT_CLASSES)
    assert set(streams.values()) == {
        "game-g1",
        "promotion-feedforward_nn",
        "training-feedforward_nn",
        "serving-feedforward_nn",
        "cross-family",
        "ledger",
    }


def test_what_comes_late_is_separate_from_the_game() -> None:
    game_id = new_id()

    assert is_shadow(shadow_stream(game_id))
    assert not is_shadow(game_stream(game_id))
    assert not is_shadow(promotion_stream("xgboost"))


def test_a_record_goes_to_the_stream_of_its_event(ledger: Ledger) -> None:
    failed = training_completed(status="failure", error="no data", model_version=None)

    for event in (training_completed(), failed, models_reloaded()):
        ledger.record(event)

    entries = ledger.read()
    assert [(entry.stream, entry.version) for entry in entries] == [
        ("training-feedforward_nn", 1),
        ("training-feedforward_nn", 2),
        ("serving-feedforward_nn", 1),
    ]
    assert [ledger.decode(entry) for entry in entries] == [training_completed(), failed, models_reloaded()]
