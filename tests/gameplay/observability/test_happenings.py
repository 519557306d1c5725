import logging

import pytest

from gameplay.observability.happenings import appended
from ledger.appends import Receipt
from ledger.events import Event, wire_name
from tests.builders import aliases_assigned, one_of_each, training_completed

RECEIPT = Receipt(first_position=41, last_position=42, version=3, recorded_us=0)
OF_GAMES = "game."


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (aliases_assigned(cause="promotion", swapped=True), "swap"),
        (aliases_assigned(cause="promotion", reordered=True), "reorder"),
        (aliases_assigned(cause="registry"), "adoption"),
        (aliases_assigned(cause="training"), "aliases moved"),
        (training_completed(), "trained"),
        (training_completed(status="failure", model_version=None, error="no rows"), "training failed"),
    ],
)
def test_a_happening_is_one_line_with_its_name_and_position(
    caplog: pytest.LogCaptureFixture, event: Event, name: str
) -> None:
    caplog.set_level(logging.INFO)
    appended([event], RECEIPT)

    (line,) = caplog.records
    assert (line.facts["event"], line.facts["position"]) == (name, 41)  # type: ignore[attr-defined]
    assert line.getMessage().startswith(f"{event.model_type}: {name}: ")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "event",
    [one for one in one_of_each() if not wire_name(type(one)).startswith(OF_GAMES)],
    ids=lambda one: type(one).__name__,
)
def test_every_event_outside_games_is_a_line_but_for_a_plan(
    caplog: pytest.LogCaptureFixture, event: Event
) -> None:
    caplog.set_level(logging.INFO)
    appended([event, event], RECEIPT)

    planned = wire_name(type(event)) == "promotion.aliases_planned"
    positions = [line.facts["position"] for line in caplog.records]  # type: ignore[attr-defined]
    assert positions == ([] if planned else [41, 42])
