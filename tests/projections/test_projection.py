from ledger.entries import Entry
from ledger.events import GameFinished, GameStarted, RoundPlayed
from projections.projection import Projection, on
from tests.builders import game_finished, game_started, round_played
from tests.projections.stories import folded

Ids = list[str]


def _remember(state: Ids, event: GameStarted | GameFinished, _entry: Entry) -> None:
    state.append(event.game_id)


def _remember_round(state: Ids, event: RoundPlayed, _entry: Entry) -> None:
    state.append(f"{event.game_id}/{event.round}")


def test_a_handler_reads_the_classes_it_is_registered_for_and_no_other() -> None:
    projection = Projection("ids", 1, list, [on(GameStarted, _remember), on(RoundPlayed, _remember_round)])

    recorded = game_started(game_id="a"), round_played(game_id="a", round=4), game_finished(game_id="a")

    assert folded(projection, *recorded) == ["a", "a/4"]


def test_the_type_checker_refuses_a_handler_of_another_class() -> None:
    """It warns of an ignore that is not needed, so each of these is an error to it."""
    on(RoundPlayed, _remember)  # type: ignore[arg-type]
    on(GameStarted, _remember_round)  # type: ignore[arg-type]
